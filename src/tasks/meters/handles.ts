import diagnostics from 'node:diagnostics_channel';
import type { HandleType } from '../../bridge/protocol.ts';
import { type Run, runStorage } from '../context.ts';
import type { Tally } from '../tally.ts';
import { type Handle, isOfHttpAgent, isOpen, useOf } from './handle.ts';

export interface HandleMeterOptions {
  /** How long after its run's end a handle may stay open, ms. */
  readonly graceMs: number;
  readonly tally: Tally;
  /** Replaces a method of an object until the function that it gives back is called; throws where it cannot. */
  readonly replace: (target: object, name: string, wrap: (original: Method) => Method) => () => void;
  /** The TLS socket that is written to in place of a socket, where there is one. */
  readonly above?: ((socket: object) => object | undefined) | undefined;
  /** A handle that has outlived its run is one too many to be looked after. */
  readonly onDropped: () => void;
  readonly onError: (error: unknown) => void;
}

type Method = (this: unknown, ...args: unknown[]) => unknown;

/** A handle that has outlived its run. */
interface Left extends Handle {
  readonly run: Run;
  /** When it counts, ms of performance.now(). */
  readonly dueMs: number;
  counted: boolean;
  /** Somebody else uses it. */
  shared: boolean;
  unwatch: (() => void) | undefined;
}

/** Handles that are looked after at most once their runs have ended. */
const MAX_LEFT = 10_000;
/** From this number on, a run's closed handles are forgotten while it goes on. */
const COMPACT_AT = 64;

const CHANNELS: readonly [channel: string, key: string, type: HandleType][] = [
  ['net.client.socket', 'socket', 'socket'],
  ['net.server.socket', 'socket', 'socket'],
  ['udp.socket', 'socket', 'socket'],
  ['undici:websocket:open', 'websocket', 'socket'],
  ['tracing:net.server.listen:asyncStart', 'server', 'server'],
  ['child_process', 'process', 'child_process'],
  ['worker_threads', 'worker', 'worker'],
];

/**
 * What runs open and leave open, by the run whose async context it was opened in: sockets, servers, child processes and
 * threads from Node's own diagnostics channels, timers from whoever tells of them.
 *
 * Connections that a client keeps for later are no leak. Left out are sockets of HTTP agents and undici, which manage them, and
 * what anybody but the run has used since it ended: a client that was only made in that run, and serves others.
 */
export class HandleMeter {
  readonly #options: HandleMeterOptions;
  readonly #pooled = new WeakSet<object>();
  #left: Left[] = [];

  constructor(options: HandleMeterOptions) {
    this.#options = options;
  }

  /** Begins to listen; returns what ends it. */
  start(): () => void {
    const listeners = CHANNELS.map(([channel, key, type]): [string, (message: unknown) => void] => [
      channel,
      (message) => {
        const run = runStorage.getStore();
        if (run !== undefined) this.opened(run, (message as Record<string, object>)[key], type);
      },
    ]);
    listeners.push([
      'undici:client:connected',
      (message) => void this.#pooled.add((message as { socket: object }).socket),
    ]);
    for (const [channel, listener] of listeners) diagnostics.subscribe(channel, listener);
    return () => {
      for (const [channel, listener] of listeners) diagnostics.unsubscribe(channel, listener);
      for (const left of this.#left) this.#letGo(left);
      this.#left = [];
    };
  }

  /** Something was opened in the context of a run, which may have ended already. Never throws. */
  opened(run: Run, target: object | undefined, type: HandleType): void {
    if (target === undefined) return;
    try {
      if (run.ended) {
        this.#keep(run, { target, type });
        return;
      }
      run.handles ??= [];
      run.handles.push({ target, type });
      const { length } = run.handles;
      if (length >= COMPACT_AT && (length & (length - 1)) === 0)
        run.handles = run.handles.filter((handle) => mayBeOpen(handle));
    } catch (error) {
      this.#options.onError(error);
    }
  }

  /** A run that has opened something ends. @returns how many of its handles are open, without pooled ones */
  ended(run: Run): number {
    let open = 0;
    for (const handle of run.handles ?? []) {
      if (!mayBeOpen(handle) || this.#isPooled(handle)) continue;
      this.#keep(run, handle);
      if (isOpen(handle)) open++;
    }
    run.handles = undefined;
    return open;
  }

  /** Looks at what was left open; to be called about once a second, with ms of performance.now(). */
  check(nowMs: number): void {
    this.#left = this.#left.filter((left) => {
      const isDue = nowMs >= left.dueMs;
      if (left.shared || this.#isPooled(left) || !(isDue ? isOpen(left) : mayBeOpen(left))) {
        this.#letGo(left);
        return false;
      }
      if (isDue && !left.counted) {
        left.counted = true;
        this.#options.tally.add(left.run.taskId, left.type, 1);
      }
      return true;
    });
  }

  #keep(run: Run, { target, type }: Handle): void {
    if (this.#left.length >= MAX_LEFT) {
      this.#options.onDropped();
      return;
    }
    const dueMs = run.startMs + run.durationMs + this.#options.graceMs;
    const left: Left = { target, type, run, dueMs, counted: false, shared: false, unwatch: undefined };
    this.#left.push(left);
    try {
      const name = useOf(left);
      if (name === undefined) return;
      const used = this.#options.above?.(target) ?? target;
      left.unwatch = this.#options.replace(used, name, (original) => {
        return function (this: unknown, ...args) {
          if (runStorage.getStore() !== run) {
            left.shared = true;
            left.unwatch?.();
          }
          return original.apply(this, args);
        };
      });
    } catch {
      // An object that cannot be changed, or is watched already: its use stays unseen.
    }
  }

  #letGo(left: Left): void {
    left.unwatch?.();
    if (left.counted) this.#options.tally.add(left.run.taskId, left.type, -1);
  }

  #isPooled({ target, type }: Handle): boolean {
    return type === 'socket' && (this.#pooled.has(target) || isOfHttpAgent(target));
  }
}

/** A server that is about to listen, or a process about to start, looks as a closed one does: what it is shows later. */
function mayBeOpen(handle: Handle): boolean {
  return handle.type === 'server' || handle.type === 'child_process' || isOpen(handle);
}
