import type { ActiveRun, Inbox, RunRecord } from '../bridge/inbox.ts';
import type { Offer } from '../bridge/protocol.ts';
import type { Config } from '../config/config.ts';
import { monotonicMs } from '../model/clock.ts';
import type { SeenQueue } from '../model/redis-target.ts';
import { residentBytes } from '../model/resident.ts';
import type { SpanData } from '../model/span.ts';
import type { Registry } from '../store/registry.ts';
import { gaugeActive } from './active.ts';
import type { Blocks } from './blocks/blocks.ts';
import { countBreaker } from './breakers.ts';
import { Dependencies } from './dependencies.ts';
import { Evidence } from './evidence.ts';
import type { Guard } from './guard.ts';
import { Habits } from './habits.ts';
import { Ingest } from './ingest.ts';
import { Memory } from './memory.ts';
import { Metering } from './metering/metering.ts';
import type { Outlet } from './outlet.ts';
import { type SourceHandlers, Sources } from './sources.ts';
import { Timeouts } from './timeouts.ts';

export interface IntakeOptions {
  readonly config: Config;
  readonly registry: Registry;
  readonly guard: Guard;
  readonly blocks: Blocks;
  readonly outlet: Outlet;
  readonly onQueue: (seen: SeenQueue) => void;
  readonly onSuccess: (run: RunRecord) => void;
}

/** What the threads of the worker tell: where each record goes, and what is measured of the threads themselves. */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #sources: Sources;
  readonly #ingest: Ingest;
  readonly #dependencies: Dependencies;
  readonly #habits: Habits;
  readonly #timeouts: Timeouts;
  readonly evidence: Evidence;
  #memory: Memory | undefined;
  #metering: Metering | undefined;

  constructor(options: IntakeOptions) {
    const { config, registry, blocks } = options;
    this.#options = options;
    this.#ingest = new Ingest(registry, { network: config.network });
    this.#habits = new Habits(registry, this.#ingest);
    this.#dependencies = new Dependencies(registry);
    this.#timeouts = new Timeouts(registry, config.overdue);
    this.evidence = new Evidence(() => this.active());
    this.#sources = new Sources(registry, this.#handlers(), (inbox, isMain) =>
      blocks.watchdog(inbox, isMain),
    );
  }

  /** The first is the main thread. */
  watch(offer: Offer): Inbox {
    const { config, registry, blocks } = this.#options;
    const { inbox, isSuccessor } = this.#sources.add(offer);
    if (isSuccessor) this.#ingest.takeOver(inbox.active());
    this.#memory ??= new Memory(inbox, registry, this.#ingest, config.memory);
    this.#metering ??= new Metering(inbox, { registry, main: blocks.main });
    return inbox;
  }

  get inboxes(): Inbox[] {
    return this.#sources.all.map(({ inbox }) => inbox);
  }

  /** Undefined where no worker is watched. */
  get main(): Inbox | undefined {
    return this.#sources.all[0]?.inbox;
  }

  /** Runs in flight. */
  active(): ActiveRun[] {
    return this.#sources.active();
  }

  /** See {@link Sources.isQuiet}. */
  get isQuiet(): boolean {
    return this.#sources.isQuiet(this.#options.config.watch.interval);
  }

  /** See {@link Sources.isUrgent}. */
  get isUrgent(): boolean {
    return this.#sources.isUrgent;
  }

  /** Reads all that there is. */
  drain(): void {
    this.#options.guard('inbox', () => this.#sources.drain());
  }

  /** Looks whether the threads live. To be called every `watch.interval`. */
  check(): void {
    const { guard } = this.#options;
    this.drain();
    const now = monotonicMs();
    for (const { watchdog } of this.#sources.all) guard('watchdog', () => watchdog.check(now));
    guard('metering', () => this.#metering?.check(now));
  }

  checkMemory(): void {
    this.#options.guard('memory', () => this.#memory?.check(monotonicMs()));
  }

  /** Compares tasks with what they are used to. To be called every step. */
  observe(): void {
    this.#options.guard('habits', () =>
      this.#habits.observe(monotonicMs(), this.#sources.tasks(), this.active().length),
    );
  }

  /** Writes what holds at this moment. */
  collect(): void {
    const { guard, registry } = this.#options;
    // What ended since the last drain must be counted as ended before what goes on is counted.
    this.drain();
    guard('vitals', () => {
      for (const { vitals } of this.#sources.all) vitals.collect();
      this.#metering?.collect(this.inboxes);
      const active = this.active();
      this.#ingest.active(active);
      gaugeActive(registry, this.#sources.tasks(), active);
      this.#timeouts.compare(active, this.main?.lagMs() ?? 0);
    });
  }

  close(): void {
    this.#metering?.close();
  }

  #handlers(): SourceHandlers {
    const { registry, guard, outlet, onQueue } = this.#options;
    return {
      run: (run) => guard('ingest', () => this.#run(run)),
      task: (_id, task) =>
        guard('ingest', () => {
          this.#ingest.task(task);
          this.#habits.task(task);
        }),
      breaker: (row) => guard('ingest', () => countBreaker(registry, row)),
      traffic: (task, server, row) => guard('ingest', () => this.#dependencies.add(task, server, row)),
      tally: (from, task, name, delta) => guard('ingest', () => this.#habits.tally(from, task, name, delta)),
      ended: (from) =>
        guard('ingest', () => {
          this.#ingest.ended(from.thread);
          this.#habits.ended(from);
        }),
      span: (span) => guard('export', () => outlet.send('traces', (to) => to.span(span as SpanData))),
      queue: (seen) => guard('queues', () => onQueue(seen as SeenQueue)),
      collection: (collection) =>
        guard('memory', () => this.#memory?.collected(monotonicMs(), collection, residentBytes())),
      unreadable: (error) =>
        guard('inbox', () => {
          throw error;
        }),
    };
  }

  #run(run: RunRecord): void {
    const { outlet, onSuccess } = this.#options;
    this.#ingest.run(run);
    this.#habits.run(run);
    this.#timeouts.run(run);
    this.evidence.finished(run);
    if (!run.failed) onSuccess(run);
    if (!run.exportSpan) return;
    const heapPeak = this.#metering?.peakOf(run);
    if (heapPeak !== undefined) run.extra = { ...run.extra, heapPeak };
    // Thousands of times a second: no function of its own where it can be sent at once.
    const { exporting } = outlet;
    if (exporting !== undefined) exporting.run(run);
    else outlet.send('traces', (to) => to.run(run));
  }
}
