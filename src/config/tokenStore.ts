import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

/**
 * The operator's own join tokens, one file a cluster, so that `worker` on the machine that ran `master` needs none.
 * Losing them loses nothing: `tsdeploy token create` makes another.
 */
export class TokenStore {
  readonly #folder: string;

  /** @param env for `XDG_STATE_HOME` */
  constructor(env: NodeJS.ProcessEnv) {
    this.#folder = join(env["XDG_STATE_HOME"] ?? join(env["HOME"] ?? homedir(), ".local", "state"), "tsdeploy");
  }

  /** @param apiserver `10.0.0.5:6443` @returns undefined if none was saved */
  async load(apiserver: string): Promise<string | undefined> {
    return readFile(this.#path(apiserver), "utf8").then(
      (text) => text.trim(),
      () => undefined,
    );
  }

  async save(apiserver: string, token: string): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    // An existing file would keep its mode.
    await this.forget(apiserver);
    await writeFile(this.#path(apiserver), `${token}\n`, { mode: 0o600 });
  }

  async forget(apiserver: string): Promise<void> {
    await rm(this.#path(apiserver), { force: true });
  }

  #path(apiserver: string): string {
    return join(this.#folder, `${apiserver.replace(":", "-")}.token`);
  }
}
