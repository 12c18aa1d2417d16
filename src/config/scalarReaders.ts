import { parseDockerEndpoint } from "../docker/dockerEndpoint.js";
import { defaultVersion, resolveVersion } from "../kubernetes/versions.js";
import { nearest } from "./nearest.js";
import { listItems, ownProblems, patternReader, quote, type Reader, textReader, within } from "./reader.js";

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** So that no date overflows: ten years, as long as the CA lives. */
const longestLife = { ms: 3650 * 86_400_000, what: "more than ten years", hint: "Write 3650d or less." };

/** Timers of Node.js end at 24 days, and what is waited for twice takes twice as long. */
const longestWait = { ms: 7 * 86_400_000, what: "more than a week", hint: "Write 7d or less." };

const usualDurations = "Write it as 90s, 5m or 1h30m.";

/** `90s`, `1h30m` -> milliseconds. */
export const readDuration: Reader = textReader((text, complain, { isWait = false }) => {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== text) {
    const hint = /^\d+$/.test(text) ? `Say the unit: ${text}s, ${text}m or ${text}h.` : usualDurations;
    complain({ message: `${quote(text)} is not a duration`, hint });
    return undefined;
  }
  const durationMs = parts.reduce((sum, [, number, unit = ""]) => sum + Number(number) * (unitsMs[unit] ?? 0), 0);
  const longest = isWait ? longestWait : longestLife;
  if (durationMs > 0 && durationMs <= longest.ms) return Math.ceil(durationMs);
  const { what, hint } = durationMs > 0 ? longest : { what: "no time at all", hint: usualDurations };
  complain({ message: `${quote(text)} is ${what}`, hint });
  return undefined;
});

const booleans: Readonly<Record<string, boolean>> = { true: true, yes: true, "1": true, false: false, no: false, "0": false };

export function booleanOf(text: string): boolean | undefined {
  return Object.entries(booleans).find(([word]) => word === text.toLowerCase())?.[1];
}

/** `true`, `yes`, `1` and their opposites. */
export const readBoolean: Reader = textReader((text, complain) => {
  const known = booleanOf(text);
  if (known !== undefined) return known;
  complain({ message: `${quote(text)} is neither true nor false`, hint: "Write true or false." });
  return undefined;
});

/** A number of things. */
export const readCount: Reader = textReader((text, complain) => {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  complain({ message: `${quote(text)} is not a whole number`, hint: "Write digits alone, such as 10." });
  return undefined;
});

/** Bytes of a packet: IPv4's least (RFC 791), and the most that its header can say. */
export const readMtu: Reader = textReader((text, complain) => {
  const bytes = Number(text);
  if (/^\d{1,5}$/.test(text) && bytes >= 576 && bytes <= 65_535) return bytes;
  complain({ message: `${quote(text)} is not an MTU`, hint: "Write bytes, from 576 to 65535, such as 1450." });
  return undefined;
});

/** One of the row's choices. */
export const readChoice: Reader = textReader((text, complain, { choices = [], default: otherwise }) => {
  if (choices.includes(text)) return text;
  const guess = nearest(text, choices);
  const any = otherwise === undefined ? "Write one of these." : `Write one of these; the default is ${otherwise}.`;
  complain({
    message: `${quote(text)} is not one of ${choices.join(", ")}`,
    hint: guess === undefined ? any : `Did you mean ${guess}?`,
  });
  return undefined;
});

/** Some of the row's choices, each once. */
export const readChoices: Reader = (raw, complain, row) => {
  const items = listItems(raw).map(({ item, path }) => readChoice(item, within(complain, path), row));
  return [...new Set(items.filter((item) => item !== undefined))];
};

/** Any text but none. */
export const readText: Reader = patternReader(/\S/, "a value: it is empty", "Give a value, or leave the option out.");

/** Any texts. Words are taken as they are; else there may be commas. */
export const readTexts: Reader = (raw, _complain, { type }) => {
  if (type === "words") return raw;
  return [...new Set(listItems(raw).flatMap(({ item }) => (typeof item === "string" ? item : [])))];
};

/** A version that the version table covers. */
export const readVersion: Reader = textReader((text, complain) => ownProblems(() => resolveVersion(text), complain));

/** What `DOCKER_HOST` may be. */
export const readDockerHost: Reader = textReader((text, complain) => {
  ownProblems(() => parseDockerEndpoint(text), complain);
  return text;
});

/** A host of images, with or without a path. */
export const registryPattern = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d+)?(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*$/;

/** A folder or host of images: `registry.example.com:5000/kubernetes`. */
export const readRegistry: Reader = patternReader(
  registryPattern,
  "a registry, with or without a path",
  "Write it as registry.example.com:5000/kubernetes: no https://, no / at the end, lower case.",
);

/** A server's URL, with or without a path; without the slash at its end. */
export const readUrl: Reader = textReader((text, complain) => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.username || url?.password) {
    // It would be shown in errors and kept in files.
    complain({ message: "has a user or a password in it", hint: "Name a server that asks for neither." });
    return undefined;
  }
  if (url && /^https?:$/.test(url.protocol) && url.search === "" && url.hash === "") return text.replace(/\/+$/, "");
  complain({ message: `${quote(text)} is not a server's URL`, hint: "Write it as https://mirror.example.com/files." });
  return undefined;
});

const imagePattern = new RegExp(
  // A name has at most 255 characters, with the `docker.io/library/` that Docker adds.
  /^(?=.{1,237}?(:\w[\w.-]*)?(@|$))/.source +
    /[A-Za-z0-9][A-Za-z0-9.-]*(:\d+(?=\/))?(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*/.source +
    /(:\w[\w.-]{0,127})?(@sha256:[0-9a-f]{64})?$/.source,
);

/** As distribution/reference defines it. */
export const readImage: Reader = patternReader(
  imagePattern,
  "an image reference",
  `Write it as registry.example.com/kubernetes/hyperkube:${defaultVersion}.`,
);

/** The id, or the whole token, which is not shown. */
export const readTokenId: Reader = textReader((text, complain) => {
  const id = text.split(".")[0] ?? "";
  if (/^[a-z0-9]{6}$/.test(id)) return id;
  complain({ message: "a token's id is six of a-z and 0-9", hint: "`tsdeploy token list` shows them." });
  return undefined;
});
