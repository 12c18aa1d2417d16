import { stringify } from "yaml";
import type { ImportedCluster } from "./importedCluster.js";

/** The file that such a cluster comes to, as YAML; what has no counterpart is named in comments at its beginning. */
export function importedText(imported: ImportedCluster, path: string): string {
  const { from, notes, offered, left } = imported;
  const comments = [
    `Of ${path}, a file of ${from}'s, by \`tsdeploy config import\`.`,
    "Look through it; `tsdeploy config validate -f` finds mistakes.",
    "",
    ...notes.map((note) => `- ${note}`),
    ...(left.length > 0 ? ["", "Not carried over:", ...left.map((one) => `- ${leftText(one)}`)] : []),
    ...(offered.length > 0 ? ["", ...offered] : []),
  ];
  // What stands in the file must not end the comment.
  const lines = comments.map((line) => `# ${line.replace(/\s+/g, " ")}`.trimEnd());
  return `${lines.join("\n")}\n${stringify(importedFile(imported), { lineWidth: 0 })}`;
}

/** The same as plain data. */
export function importedFile({ settings, hosts }: ImportedCluster): object {
  return { ...settings, hosts };
}

/** `cluster.yml:6:5: nodes.ssh_key_path, and at 2 more places. What to do.` Never a value: it may be a secret. */
export function leftText({ key, places, hint }: ImportedCluster["left"][number]): string {
  const [first = "", ...others] = places;
  const more = others.length === 0 ? "" : `, and at ${others.length} more ${others.length === 1 ? "place" : "places"}`;
  return `${first}: ${key}${more}${hint === undefined ? "" : `. ${hint}`}`;
}
