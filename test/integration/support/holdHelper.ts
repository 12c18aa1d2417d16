import { connectEngine } from "../../../src/docker/connectEngine.js";
import { openHelper } from "../../../src/host/helperSession.js";

/** Opens a helper, tells its id, and holds it until it is killed. */
const [dockerHost = "", image = ""] = process.argv.slice(2);
const engine = await connectEngine({ dockerHost }, process.env);
const helper = await openHelper(engine, image);
process.stdout.write(`${helper.id}\n`);
setInterval(() => undefined, 1_000_000);
