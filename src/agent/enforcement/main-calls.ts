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
  async call<T>(name: string, parameters: readonly unknown[], timeoutMs: number): Promise<T | undefined> {
    const given = parameters.map((parameter) => JSON.stringify(parameter)).join(', ');
    const expression = `globalThis[Symbol.for('taskwarden.control')]?.${name}(${given})`;
    const params = { expression, returnByValue: true, awaitPromise: true, silent: true };
    const answer = await this.#main.post<Evaluated>('Runtime.evaluate', params, timeoutMs);
    return answer?.exceptionDetails === undefined ? (answer?.result?.value as T | undefined) : undefined;
  }
}
