/** Without `--k8s-version`. By itself, so that help need not load the tables of versions. */
export const defaultVersion = "v1.36.2";
