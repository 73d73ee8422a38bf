import type { Encoder } from './encoder.ts';

/** A request ready to be sent, with the number of items in it. */
export interface Batch {
  readonly body: Uint8Array;
  readonly count: number;
}

/** Where a sender takes its requests from. No method throws. */
export interface Source {
  /** Items that wait. */
  readonly size: number;
  /** The next request, if there is enough for one or a {@link hurry} is on. */
  take(encoder: Encoder): Batch | undefined;
  /** Takes back a request that could not be delivered for now. */
  giveBack(batch: Batch): void;
  /** A request is delivered, or given up. */
  settled?(batch: Batch, isAccepted: boolean): void;
  /** Everything that waits now may be taken, however little it is. */
  hurry(): void;
  /** Throws everything away; returns how many items that were. */
  clear(): number;
}

export interface QueueOptions<Item> {
  /** Items held at most; when full, the oldest makes room, as the newest tells more about what is wrong now. */
  readonly capacity: number;
  /** Items that are worth a request before a hurry, and the most that one request holds. */
  readonly minBatch: number;
  readonly maxBatch: number;
  encode(encoder: Encoder, items: Item[]): Uint8Array;
  onDropped(reason: 'queue_full' | 'rejected', count: number): void;
  onFailure(error: Error): void;
}

/** Largest request, bytes: a gRPC receiver takes 4 MiB unless it is told otherwise. */
const MAX_BODY = 3.5 * 1024 * 1024;

/** A bounded queue, first in first out. Holds up to `capacity` items, beside the batches that are given back to it. */
export class QueueSource<Item> implements Source {
  readonly #options: QueueOptions<Item>;
  readonly #ring: (Item | undefined)[] = [];
  #head = 0;
  #length = 0;
  /** How many of the items in the queue a hurry is about. */
  #hurried = 0;
  #ready: Batch[] = [];

  constructor(options: QueueOptions<Item>) {
    this.#options = options;
  }

  get size(): number {
    let size = this.#length;
    for (const { count } of this.#ready) size += count;
    return size;
  }

  /** Whether there is enough for a request. */
  get isFull(): boolean {
    return this.#length >= this.#options.minBatch;
  }

  push(item: Item): void {
    const { capacity } = this.#options;
    if (this.#length === capacity) {
      this.#shift();
      this.#options.onDropped('queue_full', 1);
    }
    this.#ring[(this.#head + this.#length) % capacity] = item;
    this.#length++;
  }

  take(encoder: Encoder): Batch | undefined {
    while (this.#ready.length === 0 && (this.isFull || this.#hurried > 0)) {
      const items: Item[] = [];
      const count = Math.min(this.#length, this.#options.maxBatch);
      while (items.length < count) items.push(this.#shift());
      this.#encode(encoder, items);
    }
    return this.#ready.shift();
  }

  giveBack(batch: Batch): void {
    this.#ready.push(batch);
  }

  hurry(): void {
    this.#hurried = this.#length;
  }

  clear(): number {
    const { size } = this;
    this.#ready = [];
    while (this.#length > 0) this.#shift();
    return size;
  }

  #shift(): Item {
    const item = this.#ring[this.#head] as Item;
    this.#ring[this.#head] = undefined;
    this.#head = (this.#head + 1) % this.#options.capacity;
    this.#length--;
    if (this.#hurried > 0) this.#hurried--;
    return item;
  }

  /** Halves what is too large, or what cannot be encoded until the item that is to blame stands alone. */
  #encode(encoder: Encoder, items: Item[]): void {
    const middle = Math.ceil(items.length / 2);
    try {
      const body = this.#options.encode(encoder, items);
      if (body.length <= MAX_BODY || items.length === 1) {
        this.#ready.push({ body, count: items.length });
        return;
      }
    } catch (error) {
      if (items.length <= 1) {
        this.#options.onFailure(error as Error);
        this.#options.onDropped('rejected', items.length);
        return;
      }
    }
    this.#encode(encoder, items.slice(0, middle));
    this.#encode(encoder, items.slice(middle));
  }
}
