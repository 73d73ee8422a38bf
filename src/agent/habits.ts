import type { Inbox, RunRecord } from '../bridge/inbox.ts';
import type { TallyName, TaskKey } from '../bridge/protocol.ts';
import type { Registry } from '../store/registry.ts';
import { Descriptors } from './descriptors.ts';
import type { Ingest } from './ingest.ts';
import { Payloads } from './payloads.ts';
import { Tallies } from './tallies.ts';

/** What shows of a task only over many runs: what they leave open, how they grow with their input, which come twice. */
export class Habits {
  readonly #tallies: Tallies;
  readonly #payloads: Payloads;
  readonly #descriptors: Descriptors;

  constructor(registry: Registry, ingest: Ingest) {
    this.#tallies = new Tallies(registry);
    this.#payloads = new Payloads(registry);
    this.#descriptors = new Descriptors(registry, ingest);
  }

  task(task: TaskKey): void {
    this.#tallies.task(task);
  }

  run(run: RunRecord): void {
    this.#payloads.run(run);
  }

  tally(from: Inbox, task: TaskKey, name: TallyName, delta: number): void {
    this.#tallies.add(from, task, name, delta);
  }

  ended(from: Inbox): void {
    this.#tallies.ended(from);
  }

  /** To be called every few seconds, once the process has been read. @param inFlight runs in flight */
  observe(nowMs: number, tasks: Iterable<TaskKey>, inFlight: number): void {
    this.#descriptors.observe(nowMs, tasks, inFlight);
    this.#payloads.publish();
  }
}
