import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Machine } from "./machine.js";
import { home, kubectlJson } from "./operator.js";

/** Parts of every secret of the cluster, long enough to be found nowhere by chance. */
export async function secretsOf(machines: readonly Machine[]): Promise<string[]> {
  const needles = new Set<string>();
  for (const machine of machines) {
    const keys = await machine.sh(
      "find /etc/kubernetes /var/lib/kubelet/pki -type f -exec grep -lE 'PRIVATE KEY|client-key-data|token:' {} + |" +
        "while read -r file; do echo; cat \"$file\"; done",
    );
    for (const pem of keys.matchAll(/-----BEGIN [A-Z ]*PRIVATE KEY-----\n([^-]+)-----END/g)) {
      // Keys of a kind begin alike; their later lines are their own.
      needles.add((pem[1] ?? "").trim().split("\n").at(1) ?? "");
    }
    for (const data of keys.matchAll(/client-key-data: *"?([A-Za-z0-9+/=]+)/g)) needles.add((data[1] ?? "").slice(120, 200));
    for (const token of keys.matchAll(/^\s*token: *"?([^\s"]+)/gm)) needles.add(token[1] ?? "");
  }
  for (const token of savedTokens()) {
    needles.add(token);
    needles.add(token.split(".")[1] ?? "");
  }
  const { items } = await kubectlJson<{ items: { data?: Record<string, string> }[] }>("get", "secrets", "-A");
  for (const { data } of items) {
    for (const name of ["token", "token-secret"]) {
      if (data?.[name]) needles.add(Buffer.from(data[name], "base64").toString());
    }
  }
  needles.delete("");
  return [...needles];
}

/** The join tokens that `master` saved for its operator. */
export function savedTokens(): string[] {
  const folder = join(home, ".local/state/tsdeploy");
  return readdirSync(folder).map((file) => readFileSync(join(folder, file), "utf8").trim());
}

/** Those secrets that stand in the text, shortened: a failing test must not print them whole. */
export function leaked(text: string, secrets: readonly string[]): string[] {
  return secrets.filter((secret) => text.includes(secret)).map((secret) => `${secret.slice(0, 6)}…`);
}
