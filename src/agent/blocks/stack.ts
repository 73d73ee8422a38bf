import { setTimeout as sleep } from 'node:timers/promises';
import { SLOT_COUNT } from '../../bridge/protocol.ts';
import { bounded, MAX_FRAMES } from './frames.ts';
import type { MainThread } from './main-thread.ts';
import type { SourceMaps } from './source-maps.ts';

/**
 * Where the thread is and whose run it is: an error knows the asynchronous callers too. Runs in the host's realm, so that everything
 * that the host may have changed is put back, and nothing of the host's runs.
 */
const EXPRESSION = `(() => {
  const { stackTraceLimit, prepareStackTrace } = Error;
  const has = Object.hasOwn(Error, 'prepareStackTrace');
  let stack, slot, heap;
  try {
    Error.stackTraceLimit = ${MAX_FRAMES + 20};
    if (has) Error.prepareStackTrace = undefined;
    stack = new Error().stack;
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    if (has) Error.prepareStackTrace = prepareStackTrace;
  }
  try { slot = globalThis[Symbol.for('taskwarden.slot')]?.(); } catch {}
  try { heap = process.memoryUsage().heapUsed; } catch {}
  return { stack, slot, heap };
})()`;
/** Frames of the expression itself. */
const OWN_FRAMES = 2;
/**
 * Where Node.js has no async context frames, no run is known between two continuations of promises, where its hooks run. Of questions to
 * a thread that is busy with microtasks one in thirteen arrives there. Then the thread is asked again, up to `MORE_TIMES`, and `PAUSE_MS`
 * later each time, as a question that follows at once arrives at the same place.
 */
const BETWEEN = /^(?:.*\n){0,2}.*\bnode:internal\/async_hooks:/;
const MORE_TIMES = 5;
const PAUSE_MS = 1;

/** Modules of ours, which the stacks of all runs begin with. */
const OWN_MODULES = import.meta.url.endsWith('.ts')
  ? new URL('../../', import.meta.url).href
  : new URL('./', import.meta.url).href;

/** What a thread says of itself. */
export interface Look {
  /** Slot of the run that its code belongs to, -1 for none; undefined where it is not known. */
  readonly slot: number | undefined;
  /** One frame a line, the innermost first; '' where there is none. */
  readonly stack: string;
  /** Bytes in use on its heap. */
  readonly heap: number | undefined;
}

interface Evaluated {
  readonly result?: { readonly value?: { stack?: unknown; slot?: unknown; heap?: unknown } };
}

/** Asks the main thread where it is; undefined when it does not answer within `timeoutMs`: it is in native code. */
export async function lookAt(
  main: MainThread,
  maps: SourceMaps,
  timeoutMs: number,
): Promise<Look | undefined> {
  let look = await ask(main, maps, timeoutMs);
  for (let more = MORE_TIMES; more > 0 && look?.slot === -1 && BETWEEN.test(look.stack); more--) {
    await sleep(PAUSE_MS, undefined, { ref: false });
    look = await ask(main, maps, timeoutMs);
  }
  return look;
}

async function ask(main: MainThread, maps: SourceMaps, timeoutMs: number): Promise<Look | undefined> {
  const params = { expression: EXPRESSION, returnByValue: true, silent: true };
  const answer = await main.post<Evaluated>('Runtime.evaluate', params, timeoutMs);
  const value = answer?.result?.value;
  if (typeof value !== 'object' || value === null) return undefined;
  const { stack, slot, heap } = value;
  const isSlot = typeof slot === 'number' && slot >= -1 && slot < SLOT_COUNT;
  return {
    slot: isSlot ? slot : undefined,
    stack: typeof stack === 'string' ? maps.translate(trimStack(stack)) : '',
    heap: typeof heap === 'number' ? heap : undefined,
  };
}

/** The frames of the text of an error's stack without ours, at most {@link MAX_FRAMES} in {@link MAX_TEXT}. */
export function trimStack(text: string): string {
  const frames = text.split('\n').filter((line) => /^\s+at /.test(line));
  const own = frames.slice(0, OWN_FRAMES).findLastIndex((line) => /at <anonymous>:\d+:\d+$/.test(line));
  return bounded(
    frames
      .slice(own + 1)
      .map((line) => line.trim())
      .filter((line) => !line.includes(OWN_MODULES)),
  );
}
