import { isEdited, manifestText, type RenderedManifest, startupSecondsOf } from "../kubernetes/renderManifests.js";

export interface StartupTimeInput {
  /** All manifests, with so many seconds for their programs to start. */
  readonly render: (seconds: number) => readonly RenderedManifest[];
  /** Seconds by this run's `--timeout`. */
  readonly wanted: number;
  /** Text of the manifest on the host; undefined: none. */
  readonly existing: (file: string) => string | undefined;
  /** The API server says that it is well: what the manifests allowed was enough. */
  readonly isUp: boolean;
}

/**
 * The manifests, with the time to start that each is to have. A longer `--timeout` gives a longer one, but never by
 * restarting a control plane that runs: then it waits until the manifest changes anyway. It is never shortened, because
 * the machine that needed it may have to start once more.
 */
export function manifestsWithStartupTime({ render, wanted, existing, isUp }: StartupTimeInput): RenderedManifest[] {
  return render(wanted).map((manifest) => {
    const text = existing(manifest.file);
    const before = text === undefined ? undefined : startupSecondsOf(text);
    if (text === undefined || before === undefined || before === wanted) return manifest;
    const of = (seconds: number): RenderedManifest =>
      render(seconds).find(({ file }) => file === manifest.file) ?? manifest;
    const kept = of(before);
    const isSame = manifestText(kept.pod) === text;
    // An edit by a person stays as it is: what is shown beside it should be that edit alone.
    if (before > wanted || (isUp && (isSame || isEdited(text)))) return kept;
    return manifest;
  });
}
