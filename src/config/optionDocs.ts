import { commandTable } from "./commandTable.js";
import { defaultVersion } from "../kubernetes/versions.js";
import { exitCodeMeanings } from "./exitCodeMeanings.js";
import { isOfHost } from "./hostView.js";
import { isRepeatable, type OptionRow, optionTable, variableOf } from "./optionTable.js";

const intro = (): string => `# Options

Made from \`src/config/optionTable.ts\` by \`npm run docs\`; edit that and not this page.

Most options can be given in three ways, which are merged in this order and checked together before Docker is contacted
anything:

1. a flag: \`--pod-cidr 10.244.0.0/16\`
2. a variable: \`TSDEPLOY_POD_CIDR=10.244.0.0/16\`; an empty one counts as not given
3. a key of the YAML file named by \`--config\`: \`podCidr: 10.244.0.0/16\`

The highest of them has the whole say: a flag's labels are not added to the file's. One file can serve all machines of a
cluster: each command takes the keys that are its own. Paths in it are relative to the file.

- Durations have units: \`90s\`, \`5m\`, \`1h30m\`, \`7d\`.
- Flags that are repeatable also take commas (\`--node-label a=1,b=2\`), and so do their variables; extra arguments are
  separated by white space instead, for their values may have commas.
- Switches are \`true\` or \`false\` in variables and in the file.

\`\`\`yaml
# cluster.yaml
k8sVersion: ${defaultVersion}
registryMirrors:
  registry.k8s.io: mirror.example.com:5000/k8s
podCidr: 10.244.0.0/16
nodeLabels:
  disk: ssd
nodeTaints:
  - dedicated=db:NoSchedule
extraArgs:
  apiserver:
    service-node-port-range: 80-32767
timeout: 5m
\`\`\`

## A cluster's file

\`up\`, \`down\`, \`status\`, \`logs\`, \`exec\`, \`config print\` and \`config validate\` take such a file by \`--file\`, with
all machines in it; \`config import\` makes one of RKE's \`cluster.yml\` or of k0sctl's file:

\`\`\`yaml
hosts:
  - role: master
    dockerHost: ssh://root@10.0.0.5     # bastions, keys and users by your own ssh configuration
  - role: worker
    dockerHost: tcp://10.0.0.6:2376
    tlsFolder: tls/six                  # ca.pem, cert.pem, key.pem; for tcp:// only
    nodeName: six
    ip: 10.0.0.6
    nodeTaints: [dedicated=db:NoSchedule]
    patches: patches/six
  - role: worker
    dockerContext: seven
\`\`\`

- A host has \`role\`, where its Docker is (\`dockerHost\` or \`dockerContext\`), and of the options below ${hostOptions()}.
- What is beside \`hosts\` is for all of them. Of \`nodeLabels\`, \`extraArgs\` and \`registryMirrors\` a host's own are added
  to those; of all other options a host's own has the whole say.
- Which cluster, nodes and Dockers are meant, only the file says; flags and variables are those of the run, such as
  \`--timeout\`. Variables for one host, such as \`TSDEPLOY_NETWORK\`, mean nothing to its hosts: \`up\`, \`down\`,
  \`upgrade\` and \`config\` warn of those that are set.
- The first master makes the cluster. Further ones make it one of several (\`severalMasters\`) and join it, one after the
  other, before the workers; have an odd number. Where another master has the cluster already, a new first one joins it.
`;

/** Those that hosts of one file may differ in. */
function hostOptions(): string {
  return optionTable.filter(isOfHost).map(({ key }) => `\`${key}\``).join(", ");
}

/** The page `docs/options.md`. */
export function optionDocs(): string {
  const groups = ["Cluster", "Node", "Run", "Global"] as const;
  const tables = groups.map((group) => {
    const rows = optionTable.filter((row) => row.group === group && row.flag !== undefined);
    return `## ${group} options\n\n${table(["Flag", "Variable", "YAML key", "Commands", "What", "Default"], rows.map(cells))}`;
  });
  const codes = exitCodeMeanings.map(({ code, meaning }) => [String(code), meaning]);
  return [intro(), ...tables, `## Exit codes\n\n${table(["Code", "Meaning"], codes)}`].join("\n");
}

function cells(row: OptionRow): string[] {
  const flag = `${row.short === undefined ? "" : `${row.short}, `}${row.flag ?? ""}`;
  const named = row.argument === undefined ? flag : `${flag} ${row.argument}`;
  const choices = row.choices === undefined ? "" : ` One of ${row.choices.map(code).join(", ")}.`;
  const ifNot = row.default === undefined ? (row.otherwise ?? (isSwitch(row) ? "no" : "")) : code(row.default);
  return [
    code(named),
    code(variableOf(row) ?? ""),
    row.inFile ? code(row.key) : "",
    row.commands.length === commandTable.length ? "all" : row.commands.join(", "),
    `${row.description}.${choices}`,
    ifNot === "" && isRepeatable(row) ? "none" : ifNot,
  ];
}

function isSwitch(row: OptionRow): boolean {
  return row.type === "boolean";
}

function code(text: string): string {
  return text === "" ? "" : `\`${text}\``;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (row: readonly string[]): string => `| ${row.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return `${[line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n")}\n`;
}
