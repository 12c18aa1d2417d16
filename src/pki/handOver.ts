import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { TsdeployError } from "../model/errors.js";
import { paths } from "../model/hostLayout.js";
import * as z from "../model/zod.js";
import type { MasterToken } from "./joinToken.js";
import { authorities } from "./wantedCertificates.js";

/** What a further master needs of another one. Secrets. */
export interface HandOver {
  /** Absolute path -> content: CAs with their keys, and the key of service accounts. */
  readonly files: ReadonlyMap<string, string>;
  /** The other master's accepted options, as they lie on its host. */
  readonly options: string;
}

const cipher = "aes-256-gcm";
const nonceBytes = 12;
const tagBytes = 16;

/** What all masters of a cluster have in common; all other certificates each makes for itself. */
const sharedPaths: readonly string[] = [
  ...Object.values(authorities).flatMap(({ path }) => [`${path}.key`, `${path}.crt`]),
  `${paths.pki}/sa.key`,
  `${paths.pki}/sa.pub`,
];

/** @throws TsdeployError `conflict`, `CA_MISSING`, if this host lacks one of the files */
export function handOverOf(files: ReadonlyMap<string, { readonly content: string }>): HandOver {
  const missing = [...sharedPaths, paths.options].filter((path) => !files.has(path));
  if (missing.length > 0) {
    throw new TsdeployError("conflict", {
      code: "CA_MISSING",
      message: `${missing.join(", ")} ${missing.length === 1 ? "is" : "are"} not on this host: it cannot let another master in`,
      hint: "Run this on a master that has all of them, or `tsdeploy master` here if it is only sa.pub.",
    });
  }
  const content = (path: string): string => files.get(path)?.content ?? "";
  return { files: new Map(sharedPaths.map((path) => [path, content(path)])), options: content(paths.options) };
}

/** Encrypted by the token's key, and good with that token alone: base64 of nonce, text and tag. */
export function sealHandOver({ files, options }: HandOver, token: Pick<MasterToken, "id" | "key">): string {
  const nonce = randomBytes(nonceBytes);
  const sealing = createCipheriv(cipher, Buffer.from(token.key, "hex"), nonce);
  sealing.setAAD(Buffer.from(token.id));
  const text = JSON.stringify({ files: Object.fromEntries(files), options });
  return Buffer.concat([nonce, sealing.update(text, "utf8"), sealing.final(), sealing.getAuthTag()]).toString("base64");
}

const schema = z.object({ files: z.record(z.enum(sharedPaths), z.string()), options: z.string() });

/** @throws TsdeployError `unreachable`, `TOKEN_REFUSED`, for another key or content that somebody has changed */
export function openHandOver(sealed: string, token: Pick<MasterToken, "id" | "key">): HandOver {
  try {
    const bytes = Buffer.from(sealed, "base64");
    const opening = createDecipheriv(cipher, Buffer.from(token.key, "hex"), bytes.subarray(0, nonceBytes));
    opening.setAAD(Buffer.from(token.id));
    opening.setAuthTag(bytes.subarray(-tagBytes));
    const text = Buffer.concat([opening.update(bytes.subarray(nonceBytes, -tagBytes)), opening.final()]).toString();
    const { files, options } = schema.parse(JSON.parse(text));
    return { files: new Map(Object.entries(files)), options };
  } catch {
    throw new TsdeployError("unreachable", {
      code: "TOKEN_REFUSED",
      message: "the last part of the token is not the key to what the cluster keeps for a further master",
      hint: "Make a new token on a master: `tsdeploy token create --role master`.",
    });
  }
}
