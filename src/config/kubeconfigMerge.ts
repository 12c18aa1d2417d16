import { type Document, isMap, isSeq, parseDocument, type YAMLMap, YAMLSeq } from "yaml";
import { type DataOrFile, readKubeconfig } from "../kubernetes/kubeconfig.js";
import { TsdeployError } from "../model/errors.js";
import { readCertificate } from "../pki/readCertificate.js";

export interface MergedKubeconfig {
  readonly text: string;
  /** The context that is now current: the wanted name, with `-2`, `-3`, … if that belongs to something else. */
  readonly context: string;
  /** What was current before, if it was another. */
  readonly previousContext?: string;
}

/**
 * Adds a cluster, a user and a context to a kubeconfig and makes the context current. Entries of the same name are
 * replaced only where they are this cluster's (same server or the one before, same CA); other ones stay, and ours get
 * another name.
 * Comments and fields that we do not know stay.
 *
 * @param existing the file's text; undefined if there is none
 * @param adminKubeconfig text of an admin.conf, with embedded certificates
 * @param formerServer where the cluster was before it moved
 * @throws TsdeployError `KUBECONFIG_BROKEN` if the existing text is not a kubeconfig
 */
export function mergeKubeconfig(
  existing: string | undefined,
  clusterName: string,
  adminKubeconfig: string,
  contextName: string,
  formerServer?: string,
): MergedKubeconfig {
  const ours = { ...embedded(adminKubeconfig), formerServer };
  const document = parseExisting(existing ?? "");
  const names = freeNames(document, ours, { cluster: clusterName, user: `${clusterName}-admin`, context: contextName });

  put(document, "clusters", names.cluster, "cluster", {
    "certificate-authority-data": toBase64(ours.ca),
    server: ours.server,
  });
  put(document, "contexts", names.context, "context", { cluster: names.cluster, user: names.user });
  put(document, "users", names.user, "user", {
    "client-certificate-data": toBase64(ours.certificate),
    "client-key-data": toBase64(ours.key),
  });
  const previous = document.get("current-context");
  document.set("current-context", names.context);
  return {
    text: print(document, existing ?? ""),
    context: names.context,
    ...(typeof previous === "string" && previous !== "" && previous !== names.context && { previousContext: previous }),
  };
}

/**
 * Takes a cluster out of a kubeconfig: entries with its server and CA, the contexts that use them, and users that
 * nothing else uses.
 *
 * @returns the new text; undefined if nothing in it is this cluster's
 * @throws TsdeployError `KUBECONFIG_BROKEN`
 */
export function removeFromKubeconfig(existing: string, adminKubeconfig: string): string | undefined {
  const ours = embedded(adminKubeconfig);
  const document = parseExisting(existing);
  const clusters = items(document, "clusters").filter((entry) => isOurCluster(entry, ours)).map(nameOf);
  if (clusters.length === 0) return undefined;

  const isOurs = (context: YAMLMap): boolean => clusters.includes(textAt(context, "context", "cluster"));
  const contexts = items(document, "contexts").filter(isOurs);
  const users = contexts.map((context) => textAt(context, "context", "user"));
  const others = items(document, "contexts").filter((context) => !isOurs(context));
  const usersOfOthers = others.map((context) => textAt(context, "context", "user"));

  drop(document, "clusters", clusters);
  drop(document, "contexts", contexts.map(nameOf));
  drop(document, "users", users.filter((user) => !usersOfOthers.includes(user)));
  const current = document.get("current-context");
  if (contexts.some((context) => nameOf(context) === current)) document.set("current-context", "");
  return print(document, existing);
}

interface Ours {
  readonly server: string;
  readonly formerServer?: string | undefined;
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

function embedded(adminKubeconfig: string): Ours {
  const { server, ca, certificate, key } = readKubeconfig(adminKubeconfig);
  const data = (value: DataOrFile | undefined): string => {
    if (value === undefined || !("data" in value)) throw new Error("the admin kubeconfig has no embedded certificates");
    return value.data;
  };
  return { server, ca: data(ca), certificate: data(certificate), key: data(key) };
}

type Section = "clusters" | "contexts" | "users";

function parseExisting(text: string): Document {
  const document = parseDocument(text, { logLevel: "error" });
  const [error] = document.errors;
  const broken = (what: string): TsdeployError =>
    new TsdeployError("environment", {
      code: "KUBECONFIG_BROKEN",
      message: `the kubeconfig ${what}; it was left as it is`,
      hint: "Correct it, name another one by --kubeconfig, or leave it alone by --no-kubeconfig.",
    });
  if (error) {
    const [start] = error.linePos ?? [];
    // The first line only: the rest quotes the file, which holds keys.
    const reason = error.code.toLowerCase().replaceAll("_", " ");
    throw broken(`is not YAML: ${reason}${start ? ` at line ${start.line}, column ${start.col}` : ""}`);
  }
  if (document.contents === null) {
    const fresh = parseDocument("apiVersion: v1\nkind: Config\npreferences: {}\n");
    fresh.commentBefore = document.commentBefore ?? document.comment;
    return fresh;
  }
  if (!isMap(document.contents)) throw broken("is not a map");
  for (const section of ["clusters", "contexts", "users"]) {
    const value: unknown = document.get(section);
    if (value !== undefined && value !== null && !isSeq(value)) throw broken(`has something else than a list in ${section}`);
  }
  return document;
}

/** The first of name, name-2, name-3, … whose three entries are either free or this cluster's. */
function freeNames(
  document: Document,
  ours: Ours,
  wanted: { readonly cluster: string; readonly user: string; readonly context: string },
): { cluster: string; user: string; context: string } {
  for (let count = 1; ; count += 1) {
    const suffix = count === 1 ? "" : `-${count}`;
    const names = {
      cluster: wanted.cluster + suffix,
      user: wanted.user + suffix,
      context: wanted.context + suffix,
    };
    const cluster = find(document, "clusters", names.cluster);
    const user = find(document, "users", names.user);
    const context = find(document, "contexts", names.context);
    if (
      (!cluster || isOurCluster(cluster, ours)) &&
      (!user || isOurUser(user, ours)) &&
      (!context || (cluster && textAt(context, "context", "cluster") === names.cluster))
    ) {
      return names;
    }
  }
}

function isOurCluster(entry: YAMLMap, ours: Ours): boolean {
  const ca = fromBase64(textAt(entry, "cluster", "certificate-authority-data"));
  return [ours.server, ours.formerServer].includes(textAt(entry, "cluster", "server")) && ca.trim() === ours.ca.trim();
}

/** One whose certificate this cluster's CA has signed. */
function isOurUser(entry: YAMLMap, ours: Ours): boolean {
  try {
    const certificate = readCertificate(fromBase64(textAt(entry, "user", "client-certificate-data")));
    return certificate.verify(readCertificate(ours.ca).publicKey);
  } catch {
    return false;
  }
}

function items(document: Document, section: Section): YAMLMap[] {
  const list = document.get(section);
  return isSeq(list) ? list.items.filter((item) => isMap(item)) : [];
}

function find(document: Document, section: Section, name: string): YAMLMap | undefined {
  return items(document, section).find((item) => nameOf(item) === name);
}

function nameOf(entry: YAMLMap): string {
  return textAt(entry, "name");
}

function textAt(entry: YAMLMap, ...path: string[]): string {
  const value = entry.getIn(path);
  return typeof value === "string" ? value : "";
}

/** Sets these fields of the entry, which is made if need be; its other fields stay. */
function put(document: Document, section: Section, name: string, kind: string, fields: Record<string, string>): void {
  const entry = find(document, section, name);
  if (entry) {
    for (const [key, value] of Object.entries(fields)) entry.setIn([kind, key], value);
    return;
  }
  let list = document.get(section);
  if (!isSeq(list)) {
    list = new YAMLSeq(document.schema);
    document.set(section, list);
  }
  if (!isSeq(list)) return;
  if (list.items.length === 0) list.flow = false;
  list.add(document.createNode({ [kind]: fields, name }));
}

function drop(document: Document, section: Section, names: readonly string[]): void {
  const list = document.get(section);
  if (isSeq(list)) list.items = list.items.filter((item) => !(isMap(item) && names.includes(nameOf(item))));
}

/** As kubectl writes it, unless the file was written otherwise. */
function print(document: Document, before: string): string {
  return document.toString({
    lineWidth: 0,
    indentSeq: /^(clusters|contexts|users):[^\S\n]*\n[^\S\n]+-/m.test(before),
    flowCollectionPadding: /[[{] \S/.test(before),
  });
}

function toBase64(text: string): string {
  return Buffer.from(text).toString("base64");
}

function fromBase64(text: string): string {
  return Buffer.from(text, "base64").toString();
}
