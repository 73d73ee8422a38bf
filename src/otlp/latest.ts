import { type Labels, labelsKey } from '../model/labels.ts';
import type { Encoder } from './encoder.ts';
import type { MetricsSnapshot, VanishedMetric } from './metrics.ts';
import type { Batch, Source } from './queue.ts';

/** Vanished series that are remembered, at most, while no snapshot gets through. */
const MAX_VANISHED = 2000;

interface SnapshotBatch extends Batch {
  readonly snapshot: MetricsSnapshot;
}

export interface LatestOptions {
  encode(encoder: Encoder, snapshot: MetricsSnapshot): Uint8Array;
  onDropped(reason: 'rejected', count: number): void;
  onFailure(error: Error): void;
}

/**
 * Holds one metrics snapshot, the newest: its values are cumulative, so it makes older ones needless. Only what an older one
 * says of vanished series is carried over, also from one that was given up.
 */
export class LatestSource implements Source {
  readonly #options: LatestOptions;
  #latest: MetricsSnapshot | undefined;
  /** Given up while there was none that could say of vanished series what it was to say. */
  #unsaid: MetricsSnapshot | undefined;

  constructor(options: LatestOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#latest === undefined ? 0 : 1;
  }

  offer(snapshot: MetricsSnapshot): void {
    const older = this.#latest ?? this.#unsaid;
    this.#unsaid = undefined;
    this.#latest = older === undefined ? snapshot : carryOver(older, snapshot);
  }

  take(encoder: Encoder): SnapshotBatch | undefined {
    const snapshot = this.#latest;
    this.#latest = undefined;
    if (snapshot === undefined) return undefined;
    try {
      return { body: this.#options.encode(encoder, snapshot), count: 1, snapshot };
    } catch (error) {
      this.#options.onFailure(error as Error);
      this.#options.onDropped('rejected', 1);
      this.#giveUp(snapshot);
      return undefined;
    }
  }

  giveBack(batch: SnapshotBatch): void {
    this.#latest = this.#latest === undefined ? batch.snapshot : carryOver(batch.snapshot, this.#latest);
  }

  settled({ snapshot }: SnapshotBatch, isAccepted: boolean): void {
    if (!isAccepted) this.#giveUp(snapshot);
  }

  hurry(): void {}

  clear(): number {
    const { size } = this;
    this.#latest = undefined;
    return size;
  }

  #giveUp(snapshot: MetricsSnapshot): void {
    if (this.#latest === undefined) this.#unsaid = { ...snapshot, metrics: [] };
    else this.#latest = carryOver(snapshot, this.#latest);
  }
}

/** The newer snapshot, with those series that vanished before the older one and have not come back. */
function carryOver(older: MetricsSnapshot, newer: MetricsSnapshot): MetricsSnapshot {
  let room = MAX_VANISHED;
  const carried = older.vanished.flatMap((metric): VanishedMetric[] => {
    const told = new Set([...alive(newer, metric.name), ...ended(newer, metric.name)].map(labelsKey));
    const points = metric.points.filter((labels) => !told.has(labelsKey(labels))).slice(0, room);
    room -= points.length;
    return points.length === 0 ? [] : [{ ...metric, points }];
  });
  return carried.length === 0 ? newer : { ...newer, vanished: [...newer.vanished, ...carried] };
}

function alive(snapshot: MetricsSnapshot, name: string): Labels[] {
  const metrics = snapshot.metrics.filter((metric) => metric.descriptor.name === name);
  return metrics.flatMap((metric) => metric.dataPoints.map((point) => point.attributes as Labels));
}

function ended(snapshot: MetricsSnapshot, name: string): Labels[] {
  return snapshot.vanished.filter((metric) => metric.name === name).flatMap((metric) => metric.points);
}
