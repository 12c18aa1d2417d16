import { connectEngine } from "../../../src/docker/connectEngine.js";
import { openHelper } from "../../../src/host/helperSession.js";

/**
 * Locks a host as often as told, waiting for others, and says "held" each time that it has been alone with it. With 0
 * it says so once and holds it until it is killed.
 */
const [dockerHost = "", image = "", holder = "", times = "0"] = process.argv.slice(2);
const signal = new AbortController().signal;
const say = (text: string): void => void process.stdout.write(`${text}\n`);

const engine = await connectEngine({ dockerHost }, process.env);
for (let time = 0; time < Math.max(Number(times), 1); time++) {
  const lock = { command: "master", holder, wait: true, report: () => undefined, signal };
  const helper = await openHelper(engine, image, { lock });
  if (times === "0") {
    say("held");
    await new Promise(() => setInterval(() => undefined, 1_000_000));
  }
  // Another one at the same time would find the folder there, or remove it too early.
  await helper.run("mkdir /host/tmp/alone && touch /host/tmp/alone/file && rm /host/tmp/alone/file && rmdir /host/tmp/alone");
  say("held");
  await helper.close();
}
await engine.close();
