/* eslint-disable no-restricted-imports */
import * as z from "zod";

// Compiled schemas are faster from some hundred values of a kind on. A run reads few, and compiling took a tenth of it.
z.config({ jitless: true });

export * from "zod";
