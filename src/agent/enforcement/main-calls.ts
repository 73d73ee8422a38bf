import type { MainThread } from '../blocks/main-thread.ts';

interface Evaluated {
  readonly result?: { readonly value?: unknown };
  readonly exceptionDetails?: unknown;
}

/** Calls what the main thread offers under `Symbol.for('taskwarden.control')`: an expression of plain data, and its answer. */
export class MainCalls {
  readonly #main: Pick<MainThread, 'post'>;

  constructor(main: Pick<MainThread, 'post'>) {
    this.#main = main;
  }

  /**
   * @param timeoutMs after which there is no answer; the call may be made all the same, when the thread comes to it
   * @returns undefined where there is no answer, or the thread offers nothing
   */
  call<T>(name: string, parameters: readonly unknown[], timeoutMs: number): Promise<T | undefined> {
    return this.#evaluate(name, parameters, timeoutMs, true);
  }

  /** The same of what gives its answer at once: a promise, or a wait for one, would not be answered by a thread in a loop. */
  callNow<T>(name: string, parameters: readonly unknown[], timeoutMs: number): Promise<T | undefined> {
    return this.#evaluate(name, parameters, timeoutMs, false);
  }

  async #evaluate<T>(
    name: string,
    parameters: readonly unknown[],
    timeoutMs: number,
    awaitPromise: boolean,
  ): Promise<T | undefined> {
    const given = parameters.map((parameter) => JSON.stringify(parameter)).join(', ');
    const expression = `globalThis[Symbol.for('taskwarden.control')]?.${name}(${given})`;
    const params = { expression, returnByValue: true, awaitPromise, silent: true };
    const answer = await this.#main.post<Evaluated>('Runtime.evaluate', params, timeoutMs);
    return answer?.exceptionDetails === undefined ? (answer?.result?.value as T | undefined) : undefined;
  }
}
