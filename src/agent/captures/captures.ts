import { setTimeout as sleep } from 'node:timers/promises';
import type { Inbox } from '../../bridge/inbox.ts';
import type { ActionName, CAPTURES } from '../../model/action.ts';
import type { AlertTransition } from '../../model/alert.ts';
import type { Action, ActionResult } from '../actions.ts';
import { MainThread } from '../blocks/main-thread.ts';
import type { SourceMaps } from '../blocks/source-maps.ts';
import { lookAt } from '../blocks/stack.ts';
import type { EvidenceFolder } from './folder.ts';
import { takeSnapshot } from './heap-snapshot.ts';
import { type CpuProfile, tasksOf } from './profile-tasks.ts';
import { Turns } from './turns.ts';

type Capture = (typeof CAPTURES)[number];

/** Captures of a kind within an hour; further ones are refused. */
const HOUR_MS = 3_600_000;
const AN_HOUR: Readonly<Record<Capture, number>> = {
  'capture-stack': 60,
  'cpu-profile': 12,
  'heap-profile': 12,
  'heap-snapshot': 2,
};
const EXTENSIONS: Readonly<Record<Capture, string>> = {
  'capture-stack': 'stack.txt',
  'cpu-profile': 'cpuprofile',
  'heap-profile': 'heapprofile',
  'heap-snapshot': 'heapsnapshot',
};

/** How long the thread may take to answer a command, ms. */
const ANSWER_MS = 5000;
/** A thread that does nothing has no stack: it is looked at again, so often, ms apart. */
const LOOKS = 50;
const LOOK_MS = 20;
/** Time between two samples of a CPU profile, and most of them. */
const SAMPLE_US = 1000;
const MAX_SAMPLES = 20_000;
/** Mean bytes between two samples of a heap profile. */
const HEAP_SAMPLE_BYTES = 32_768;

export interface CapturesOptions {
  readonly inbox: Inbox;
  readonly maps: SourceMaps;
  /** Undefined where nothing is to be kept. */
  readonly folder: EvidenceFolder | undefined;
  /** Length of a profile, ms. */
  readonly profileMs: number;
  /** Whether the main thread may be inspected. */
  readonly inspector: boolean;
  /** Something keeps the folder from being used, or a capture is dear: to be logged. */
  readonly warn: (text: string) => void;
  readonly onFault: () => void;
  /** The thread is kept by a capture until the returned function is called. */
  readonly hold: () => () => void;
  /** Monotonic, ms. */
  readonly elapsed: () => number;
}

/** Looks into the main thread and writes down what it finds, one capture after the other. */
export class Captures {
  readonly #options: CapturesOptions;
  readonly #taken = new Map<Capture, number[]>();
  #session: MainThread | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #isTold = false;

  constructor(options: CapturesOptions) {
    this.#options = options;
  }

  /** What {@link Actions} takes. */
  get actions(): Partial<Record<ActionName, Action>> {
    const action = (capture: Capture, take: (path: string, t: AlertTransition) => Promise<ActionResult>) => ({
      [capture]: {
        evidence: (transition: AlertTransition) => this.#plan(capture, transition),
        run: (transition: AlertTransition, path: string | undefined) =>
          path === undefined ? this.#refusal(capture) : this.#next(() => take(path, transition)),
      },
    });
    return {
      ...action('capture-stack', (path, transition) => this.#stack(path, transition)),
      ...action('cpu-profile', (path) => this.#cpuProfile(path)),
      ...action('heap-profile', (path) => this.#heapProfile(path)),
      ...action('heap-snapshot', (path) => this.#heapSnapshot(path)),
    };
  }

  /** Ends what is under way. */
  close(): void {
    this.#session?.close();
  }

  #plan(capture: Capture, { name, labels, runs }: AlertTransition): string | undefined {
    const { folder, elapsed } = this.#options;
    const taken = (this.#taken.get(capture) ?? []).filter((at) => elapsed() - at < HOUR_MS);
    this.#taken.set(capture, taken);
    if (folder === undefined || taken.length >= AN_HOUR[capture]) return undefined;
    try {
      const path = folder.plan([name, labels.task_name ?? runs[0]?.task ?? 'none'], EXTENSIONS[capture]);
      taken.push(elapsed());
      return path;
    } catch (error) {
      this.#fault(error);
      return undefined;
    }
  }

  #refusal(capture: Capture): ActionResult {
    const { folder } = this.#options;
    if (folder === undefined) return refused('there is no folder for it: `evidence.dir` is off');
    const full = (this.#taken.get(capture)?.length ?? 0) >= AN_HOUR[capture];
    if (full) return refused(`there were ${AN_HOUR[capture]} within an hour`);
    return { outcome: 'failed', message: 'the folder of evidence cannot be written to' };
  }

  /** The inspector has one profiler, and the thread enough to do. */
  #next<T>(capture: () => Promise<T>): Promise<T> {
    const result = this.#last.then(async () => {
      this.#session = new MainThread({ allowed: this.#options.inspector, warn: () => {} });
      try {
        return await capture();
      } catch (error) {
        // The file system's errors have codes; that a thread does not answer is no fault.
        if (error instanceof Error && 'code' in error) this.#fault(error);
        throw error;
      } finally {
        this.#session.close();
      }
    });
    this.#last = result.catch(() => {});
    return result;
  }

  #fault(error: unknown): void {
    const { warn, onFault } = this.#options;
    onFault();
    if (!this.#isTold) warn(`no evidence: ${(error as Error).message}; alerts and jobs are not affected`);
    this.#isTold = true;
  }

  async #stack(path: string, { name, at, labels, findings }: AlertTransition): Promise<ActionResult> {
    const { maps, folder } = this.#options;
    const block = findings?.block;
    let stack = block?.stack ?? '';
    for (let n = 0; n < LOOKS && stack === ''; n++) {
      stack = (await lookAt(this.#main, maps, ANSWER_MS))?.stack ?? '';
      if (stack === '') await sleep(LOOK_MS);
    }
    if (stack === '') return refused('the thread did nothing, or does not answer');
    const head = [
      `alert: ${name}`,
      `time: ${new Date(at).toISOString()}`,
      ...Object.entries(labels).map(([label, value]) => `${label}: ${value}`),
      ...(block?.kind === undefined
        ? []
        : [`block: ${block.kind}, ${(block.durationMs / 1000).toFixed(3)} s`]),
    ];
    folder?.write(path, `${head.join('\n')}\n\n${stack}\n`);
    return done(`the stack is in ${path}`);
  }

  async #cpuProfile(path: string): Promise<ActionResult> {
    const { inbox, maps, folder, profileMs } = this.#options;
    const interval = Math.max(SAMPLE_US, (profileMs * 1000) / MAX_SAMPLES);
    await this.#ask('Profiler.enable');
    await this.#ask('Profiler.setSamplingInterval', { interval: Math.ceil(interval) });
    await this.#ask('Profiler.start');
    const turns = new Turns(inbox, this.#main, maps);
    await sleep(profileMs);
    const noted = turns.end();
    const { profile } = await this.#ask<{ profile: CpuProfile }>('Profiler.stop');
    const tasks = tasksOf(profile, noted, (url, line, column) => {
      const place = maps.place(url, line, column) ?? { file: url, line };
      return `${place.file}:${place.line}`;
    });
    // DevTools leaves alone what it does not know.
    folder?.write(path, JSON.stringify({ ...profile, taskwarden: { tasks } }));
    const shares = tasks.map(({ task, share }) => `${task} ${(share * 100).toFixed(0)} %`);
    return {
      ...done(`a profile of ${profileMs / 1000} s is in ${path}: ${shares.slice(0, 3).join(', ') || 'idle'}`),
      attributes: { 'taskwarden.profile.tasks': shares.slice(0, 20) },
    };
  }

  async #heapProfile(path: string): Promise<ActionResult> {
    const { folder, profileMs } = this.#options;
    await this.#ask('HeapProfiler.startSampling', {
      samplingInterval: HEAP_SAMPLE_BYTES,
      includeObjectsCollectedByMajorGC: true,
      includeObjectsCollectedByMinorGC: true,
    });
    await sleep(profileMs);
    const { profile } = await this.#ask<{ profile: object }>('HeapProfiler.stopSampling');
    folder?.write(path, JSON.stringify(profile));
    return done(`what was allocated within ${profileMs / 1000} s is in ${path}`);
  }

  async #heapSnapshot(path: string): Promise<ActionResult> {
    const { folder, inbox, warn } = this.#options;
    if (folder === undefined) return refused('there is no folder for it');
    const release = this.#options.hold();
    const bytes = await takeSnapshot({ main: this.#main, inbox, folder, path, warn }).finally(release);
    return done(`a snapshot of ${(bytes / 1e6).toFixed(1)} MB is in ${path}`);
  }

  get #main(): MainThread {
    return this.#session!;
  }

  /** @throws Error when the thread does not answer; what was asked ends with the session */
  async #ask<T>(method: string, params: object = {}): Promise<T> {
    const release = this.#options.hold();
    const answer = await this.#main.post<T>(method, params, ANSWER_MS);
    release();
    if (answer === undefined) throw new Error(`the main thread does not answer ${method}`);
    return answer;
  }
}

function done(message: string): ActionResult {
  return { outcome: 'done', message };
}

function refused(message: string): ActionResult {
  return { outcome: 'refused', message };
}
