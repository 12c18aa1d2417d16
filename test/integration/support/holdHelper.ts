import { connectEngine } from "../../../src/docker/connectEngine.js";
import { openHelper } from "../../../src/host/helperSession.js";

/** Opens a helper and a connection through it, tells its id, and holds both until it is killed. */
const [dockerHost = "", image = "", through] = process.argv.slice(2);
const engine = await connectEngine({ dockerHost }, process.env);
const helper = await openHelper(engine, image, { through });
const stream = await helper.openTcp("127.0.0.1", 22);
stream.once("data", () => process.stdout.write(`${helper.id}\n`));
setInterval(() => undefined, 1_000_000);
