import { connectEngine } from "../../../src/docker/connectEngine.js";

/** Connects, says so, and says after each SIGINT what the host is called, until it is killed. */
const [dockerHost = ""] = process.argv.slice(2);
const engine = await connectEngine({ dockerHost }, process.env);
process.on("SIGINT", () => {
  void engine.info().then(({ hostname }) => process.stdout.write(`${hostname}\n`));
});
process.stdout.write("connected\n");
setInterval(() => undefined, 1_000_000);
