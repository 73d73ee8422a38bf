/**
 * V8 starts a collection of the old generation half-way between what the last one left and the limit at the latest
 * (source: `halfway_to_the_max` of V8's MemoryController::BoundAllocationLimit), and finishes it a little later.
 */
const OVERSHOOT = 1.04;

/**
 * What is in use of the old generation and cannot be taken back. Half of what is in use between two collections may be garbage; but
 * where there is more than V8 lets stand without a collection, it has made one that brought nothing.
 */
export class LiveHeap {
  #live: number | undefined;
  #used = 0;

  /** A full collection has left so many bytes. */
  collected(bytes: number): void {
    this.#live = bytes;
    this.#used = bytes;
  }

  /** So many bytes are in use. */
  saw(bytes: number): void {
    this.#used = bytes;
    this.#live = Math.min(this.#live ?? bytes, bytes);
  }

  /** Bytes, of a limit in bytes. */
  live(limit: number): number {
    const live = this.#live ?? 0;
    return this.#used > ((live + limit) / 2) * OVERSHOOT ? this.#used : live;
  }

  /** Bytes in use, garbage included. */
  get used(): number {
    return this.#used;
  }
}
