#!/usr/bin/env node
/** `npm run docs`: writes docs/options.md from the table of options. A unit test fails while it is stale. */
import { writeFileSync } from "node:fs";
import { optionDocs } from "../../dist/config/optionDocs.js";

writeFileSync(new URL("../../docs/options.md", import.meta.url), optionDocs());
