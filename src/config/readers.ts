import { readAddresses, readApiserver, readRanges, readInterface, readNames } from "./networkReaders.js";
import { readClusterName, readDomain, readExtraArgs, readLabels, readNodeName, readTaints } from "./nodeReaders.js";
import type { OptionType } from "./optionTable.js";
import type { Reader } from "./reader.js";
import { readRegistryMirrors } from "./readRegistryMirrors.js";
import {
  readBoolean,
  readChoice,
  readChoices,
  readCount,
  readDockerHost,
  readDuration,
  readImage,
  readMtu,
  readRegistry,
  readText,
  readTexts,
  readTokenId,
  readUrl,
  readVersion,
} from "./scalarReaders.js";

/** How each type of option is read. Paths, and what lies there, are `loadOptions`'s. */
export const readers: Readonly<Record<OptionType, Reader>> = {
  boolean: readBoolean,
  text: readText,
  choice: readChoice,
  choices: readChoices,
  count: readCount,
  mtu: readMtu,
  interface: readInterface,
  duration: readDuration,
  ranges: readRanges,
  addresses: readAddresses,
  apiserver: readApiserver,
  dockerHost: readDockerHost,
  nodeName: readNodeName,
  clusterName: readClusterName,
  domain: readDomain,
  version: readVersion,
  image: readImage,
  registry: readRegistry,
  registryMirrors: readRegistryMirrors,
  url: readUrl,
  names: readNames,
  labels: readLabels,
  taints: readTaints,
  extraArgs: readExtraArgs,
  path: readText,
  folder: readText,
  patches: readText,
  addons: readText,
  optionalPath: readText,
  component: readText,
  secret: readText,
  tokenId: readTokenId,
  hosts: readTexts,
  words: readTexts,
};
