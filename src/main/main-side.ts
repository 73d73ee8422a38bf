import { isMainThread } from 'node:worker_threads';
import { exposeGcShare } from '../bridge/gc-share.ts';
import { exposeHeapFigures } from '../bridge/heap-figures.ts';
import { oldSpaceLimit } from '../bridge/heap-limit.ts';
import { startHeartbeat } from '../bridge/heartbeat.ts';
import { END, I32 } from '../bridge/protocol.ts';
import type { AgentLink } from '../bridge/spawn.ts';
import type { Config } from '../config/config.ts';
import { flushAtExit } from '../exit.ts';
import { Modules } from '../instrument/load.ts';
import { replaceMethod } from '../instrument/patch.ts';
import { needThread } from '../model/action.ts';
import type { Instrumented } from '../model/instrumented.ts';
import { enforce } from '../tasks/enforcement.ts';
import { supportsExact } from '../tasks/meters/cpu.ts';
import { exposeSlot } from '../tasks/meters/slot.ts';
import type { Tasks } from '../tasks/run.ts';
import { Workers } from '../tasks/workers.ts';
import { Meters, type MetersOptions } from './meters.ts';

export interface MainSideOptions extends MetersOptions {
  readonly agent: AgentLink;
}

/** This thread's part of Taskwarden, at work. */
export interface MainSide {
  /** Copies of known libraries that were loaded, and what became of them. */
  readonly instrumented: readonly Instrumented[];
  readonly tasks: Tasks;
  /** Takes everything back, and has exported what is known by then. */
  stop(): void;
}

const FLUSH_TIMEOUT_MS = 1000;

/** @throws Error what cannot be begun; what has been is taken back then */
export function startMainSide(options: MainSideOptions): MainSide {
  const begun: (() => void)[] = [];
  const takeBack = (): void => {
    for (const undo of begun.splice(0).reverse()) undo();
  };
  try {
    const { end, ...running } = begin(options, begun);
    return {
      ...running,
      stop() {
        takeBack();
        end(END.stopped, 0);
      },
    };
  } catch (error) {
    takeBack();
    throw error;
  }
}

interface Begun extends Omit<MainSide, 'stop'> {
  /** Has exported what is known, for this end of the process or of Taskwarden. */
  end(kind: number, code: number): void;
}

/**
 * Puts the main side together: meters, patches, actions, the heartbeat, and what is done at the end.
 *
 * @param begun gets what takes each part back
 */
function begin(options: MainSideOptions, begun: (() => void)[]): Begun {
  const { config, outbox, agent, onError } = options;
  const { shared } = outbox;
  const meters = new Meters(options);
  const workers = isMainThread && needThread(config.actions) ? new Workers() : undefined;
  const modules = patchLibraries(meters, workers, options);
  begun.push(() => modules.stop());
  if (workers !== undefined) {
    agent.onGone(() => void workers.resumeAll());
    begun.push(allowActions(meters, workers, config));
  }
  begun.push(meters.start());
  const heartbeat = startHeartbeat({
    shared,
    intervalMs: config.watch.interval,
    heapLimit: oldSpaceLimit(config.nodeOptions),
    onBeat: (now, elapsed) => meters.beat(now, elapsed),
    onRefresh: () => {
      modules.check();
      meters.refresh();
    },
    onError,
  });
  begun.push(() => heartbeat.stop());
  outbox.onBusy = heartbeat.wake;
  begun.push(() => {
    outbox.onBusy = undefined;
  });
  begun.push(exposeSlot(), exposeHeapFigures(shared), exposeGcShare());
  const end = (kind: number, code: number): void => {
    // Runs in flight are lost when the process ends, and are not when only Taskwarden does.
    Atomics.store(shared.i32, I32.endCode, code);
    Atomics.store(shared.i32, I32.endKind, kind);
    // An error in a listener of 'exit' would be the program's exit code.
    try {
      meters.handOver();
    } catch (error) {
      onError('end', error);
    }
    agent.flush(FLUSH_TIMEOUT_MS);
    agent.close();
  };
  const forgetExit = flushAtExit({
    replace: replaceMethod,
    flush: ({ kind, code }) => end(END[kind], code),
    hangUp: () => {
      if (config.rulesReload) agent.reload();
    },
    stopping: (signal) => void Atomics.store(shared.i32, I32.stopSignal, signal),
  });
  begun.push(forgetExit);
  return { instrumented: modules.instrumented, tasks: meters.tasks, end };
}

function patchLibraries(
  { tasks, sdk, breakers, network }: Meters,
  workers: Workers | undefined,
  { config, outbox, onError, warn }: MainSideOptions,
): Modules {
  const queueSeen = config.queues.watch === 'off' ? undefined : (seen: object) => void outbox.queue(seen);
  return new Modules({ host: { tasks, sdk, workers, breakers, network, queueSeen }, onError, warn });
}

function allowActions({ tasks, cpu }: Meters, workers: Workers, { nodeOptions }: Config): () => void {
  return enforce({
    runIn: (slot) => tasks.runIn(slot),
    inFlight: () => tasks.inFlight,
    workers,
    unchecked: nodeOptions.includes('--no-force-async-hooks-checks') && supportsExact(nodeOptions),
    unhook: () => cpu.stop(),
    exit: (code) => process.exit(code),
  });
}
