/**
 * What is needed of the package `yaml`, to be imported late by `import("./yaml.js")`: in the bundle, a CommonJS package
 * that is itself imported late has none of its names.
 */
export {
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  parseDocument,
} from "yaml";
