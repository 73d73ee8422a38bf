import type { Inbox, RunRecord } from '../../bridge/inbox.ts';
import type { Registry } from '../../store/registry.ts';
import type { MainThread } from '../blocks/main-thread.ts';
import { HeapPeaks, type Peak } from './heap-peaks.ts';
import { OffThread } from './off-thread.ts';
import { Sampler } from './sampler.ts';

export interface MeteringOptions {
  readonly registry: Registry;
  readonly main: MainThread;
}

/** The agent's part of the meters: what costs the main thread less when it is done from here. */
export class Metering {
  readonly #sampler: Sampler;
  readonly #peaks: HeapPeaks;
  readonly #offThread: OffThread;

  /** @param inbox of the main thread: the inspector reaches that one alone */
  constructor(inbox: Inbox, { registry, main }: MeteringOptions) {
    this.#sampler = new Sampler(inbox, main);
    this.#peaks = new HeapPeaks(inbox, registry);
    this.#offThread = new OffThread(registry);
  }

  /** To be called at every interval of the watchdog. @param nowMs monotonic */
  check(nowMs: number): void {
    this.#sampler.check();
    this.#peaks.check(nowMs);
  }

  /** To be called when series are refreshed. @param inboxes of all threads */
  collect(inboxes: readonly Inbox[]): void {
    this.#offThread.collect(inboxes.map(({ shared }) => shared));
  }

  /** The highest heap while a run was in flight that has just ended. */
  peakOf(run: RunRecord): Peak | undefined {
    return this.#peaks.peakOf(run);
  }

  close(): void {
    this.#sampler.close();
  }
}
