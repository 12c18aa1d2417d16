import { AsyncLocalStorage } from "node:async_hooks";
import { TsdeployError } from "../../../src/model/errors.js";
import type { Report } from "../../../src/report/events.js";

/** A call that went to Docker, into the helper or to the API server. */
export interface Call {
  /** The step that made it; empty for what undoes or tidies up. */
  readonly step: string;
  /** `start etcd`, `write-files.sh /etc/kubernetes/pki/ca.crt`, `GET /healthz`; with a number if it is a repetition. */
  readonly what: string;
}

/** `refused`: nothing happens. `lost`: it happens, but the answer does not come. */
export type FaultKind = "refused" | "lost";

/** One for all hosts: each that there is costs every promise something, for ever. */
const currentStep = new AsyncLocalStorage<string>();

/** Knows every call, and lets one of them fail once. */
export class Faults {
  readonly calls: Call[] = [];
  readonly #seen = new Map<string, number>();
  #armed: (Call & { readonly kind: FaultKind }) | undefined;
  #error: TsdeployError | undefined;

  failAt(call: Call, kind: FaultKind = "refused"): void {
    this.#armed = { ...call, kind };
  }

  /** Forgets the calls that there were. */
  reset(): void {
    this.calls.length = 0;
    this.#seen.clear();
  }

  /** Nothing fails any more. */
  rest(): void {
    this.#armed = undefined;
  }

  /** What was thrown; undefined if that call never came. */
  get error(): TsdeployError | undefined {
    return this.#error;
  }

  /** For `ApplyContext.report`: all that follows in the step's own thread is the step's. */
  readonly report: Report = (event) => {
    if (event.kind === "step-started") currentStep.enterWith(event.step);
  };

  /** Does work whose steps are nobody else's. */
  apart<T>(work: () => Promise<T>): Promise<T> {
    return currentStep.run("", work);
  }

  async around<T>(action: string, effect: () => T | Promise<T>): Promise<T> {
    const step = currentStep.getStore() ?? "";
    const seen = (this.#seen.get(`${step} ${action}`) ?? 0) + 1;
    this.#seen.set(`${step} ${action}`, seen);
    const what = seen === 1 ? action : `${action} #${seen}`;
    this.calls.push({ step, what });
    // As far away as a machine is: whoever does not wait for it is seen to have gone on.
    await Promise.resolve();
    const armed = this.#armed;
    if (armed?.step !== step || armed.what !== what) return effect();
    this.#armed = undefined;
    if (armed.kind === "lost") await effect();
    this.#error = new TsdeployError("failed", { code: "INJECTED", message: `${what} of step ${step} failed`, hint: "Look." });
    throw this.#error;
  }
}
