import type { RunReference } from '../../model/alert.ts';
import type { Labels } from '../../model/labels.ts';
import type { InstanceReader, InstanceReading, Poll } from '../system.ts';
import { together } from '../together.ts';
import { givenUp, isTimed } from './deadlines.ts';
import { Fleet } from './fleet.ts';
import {
  flightReadings,
  lostReadings,
  scheduleReadings,
  servingReadings,
  workerReadings,
} from './fleet-readings.ts';
import type { Flight } from './flights.ts';
import { LostTasks } from './lost.ts';
import { runsFor } from './runs.ts';
import { Schedulers } from './schedulers.ts';
import type { TypeNames } from './type-names.ts';
import { type WorkerProcess, workersOf } from './workers.ts';

/** Queues and types whose given up tasks are counted. */
const MAX_COUNTED = 2000;

/** Given the worker processes of a poll, reads what else is known of them (CPU, memory, …): it goes with the poll's readings. */
export type InspectWorkers = (workers: readonly WorkerProcess[]) => readonly InstanceReading[];

/** Makes one for each Redis. */
export type Inspect = () => InspectWorkers;

export interface InstanceReaderOptions {
  readonly prefix: string;
  /** As `redis.instance` says. */
  readonly redis?: string | undefined;
  readonly names: TypeNames;
  readonly inspect?: InspectWorkers | undefined;
}

/** Reads servers, the tasks in their hands, and schedulers. */
export class AsynqInstanceReader implements InstanceReader {
  readonly #options: InstanceReaderOptions;
  readonly #fleet: Fleet;
  readonly #lost: LostTasks;
  readonly #schedulers: Schedulers;
  readonly #givenUp = new Map<string, { queue: string; type: string; count: number }>();
  #workers: readonly WorkerProcess[] = [];
  #nowMs = 0;

  constructor(options: InstanceReaderOptions) {
    this.#options = options;
    this.#fleet = new Fleet(options.prefix, options.names);
    this.#lost = new LostTasks(options.prefix);
    this.#schedulers = new Schedulers(options.prefix);
  }

  *poll(nowMs: number): Poll<readonly InstanceReading[]> {
    const { prefix, names, inspect } = this.#options;
    this.#nowMs = nowMs;
    const [changes] = yield* together([this.#fleet.poll(nowMs), this.#schedulers.poll(nowMs)]);
    const readings: InstanceReading[] = [];
    if (changes !== undefined) {
      const { servers } = this.#fleet;
      yield* this.#lost.poll(changes, servers);
      this.#workers = workersOf(prefix, servers, nowMs);
      // From 0 on, so that the first one is an increase.
      for (const { flight } of this.#workers.flatMap(({ running }) => running))
        if (isTimed(flight)) this.#countGivenUp(flight, 0);
      for (const flight of givenUp(changes, nowMs)) this.#countGivenUp(flight, 1);
      readings.push(
        ...workerReadings(this.#workers),
        ...servingReadings(this.#workers, prefix),
        ...flightReadings(this.#workers, prefix),
        ...lostReadings(this.#lost.tasks, prefix),
        ...(inspect?.(this.#workers) ?? []),
      );
    }
    for (const { queue, type, count } of this.#givenUp.values()) {
      const attributes = { 'task.name': type };
      readings.push({
        metric: 'task.deadline.exceeded',
        attributes,
        value: count,
        queue: { prefix, name: queue },
      });
    }
    const { entries } = this.#schedulers;
    if (entries !== undefined) readings.push(...scheduleReadings(entries, (type) => names.of(type), nowMs));
    return readings;
  }

  #countGivenUp({ queue, type }: Flight, count: number): void {
    const key = `${queue}\n${type}`;
    const entry = this.#givenUp.get(key);
    if (entry !== undefined) entry.count += count;
    else if (this.#givenUp.size < MAX_COUNTED) this.#givenUp.set(key, { queue, type, count });
  }

  /** Tasks that an alert with these labels speaks of, as the last poll found them. */
  runsFor(labels: Labels): RunReference[] {
    const { prefix, redis } = this.#options;
    return runsFor(labels, { prefix, redis }, this.#workers, this.#lost.tasks, this.#nowMs);
  }
}
