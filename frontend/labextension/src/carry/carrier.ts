/** Asks a notebook's kernel for values. Runs silently: no number is used up and nothing is written into the notebook. */
import type { ISessionContext } from "@jupyterlab/apputils";
import type { KernelMessage } from "@jupyterlab/services";
import { kernelCode, type Probe, parseAnswer, type Request, type SaveAnswer } from "./code";

export interface Carried {
  /** What the job has to run first. */
  prelude: string;
  /** Throws the saved values away. The job has its own copy. */
  forget: () => Promise<void>;
}

export class Carrier {
  readonly #session: ISessionContext;
  /** The home as the kernel finds it. */
  readonly #home: string;

  constructor(session: ISessionContext, home: string) {
    this.#session = session;
    this.#home = home;
  }

  /** Whether there is a Python to ask. */
  get canCarry(): boolean {
    const { session } = this.#session;
    const name = `${session?.kernel?.name ?? ""} ${this.#session.kernelDisplayName}`;
    return Boolean(session?.kernel) && /python|xeus-python|ipykernel/i.test(name);
  }

  get isBusy(): boolean {
    return this.#session.session?.kernel?.status === "busy";
  }

  probe(names: string[]): Promise<Record<string, Probe>> {
    return this.#ask({ do: "probe", names });
  }

  async save(names: string[], pickles: boolean): Promise<Carried> {
    const answer = await this.#ask<SaveAnswer>({ do: "save", names, project: `${this.#home}/work`, pickles });
    if ("failed" in answer) throw new Error(answer.failed);
    const { folder, prelude } = answer;
    return { prelude, forget: () => this.#ask({ do: "forget", folder }).then(() => undefined) };
  }

  async #ask<T>(request: Request): Promise<T> {
    const kernel = this.#session.session?.kernel;
    if (!kernel) throw new Error("The notebook has no kernel, so no values can be carried along.");
    const future = kernel.requestExecute({
      code: kernelCode(request),
      silent: true,
      store_history: false,
      allow_stdin: false,
      stop_on_error: false,
    });
    let printed = "";
    future.onIOPub = message => {
      if (message.header.msg_type === "stream") printed += (message as KernelMessage.IStreamMsg).content.text;
    };
    const { content } = await future.done;
    if (content.status === "error") throw new Error(`The kernel failed: ${content.ename}: ${content.evalue}`);
    const answer = parseAnswer<T>(printed);
    if (answer === null) throw new Error("The kernel did not answer. Was it interrupted?");
    return answer;
  }
}
