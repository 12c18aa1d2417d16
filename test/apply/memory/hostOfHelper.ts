import type { MemoryHost } from "./memoryHost.js";

/** Whose helper it is: for tests in which a client of the API would be made of a kubeconfig. */
export const hostOfHelper = new WeakMap<object, Pick<MemoryHost, "api">>();
