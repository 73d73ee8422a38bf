import { writeSync } from 'node:fs';
import { threadMs } from '../model/clock.ts';
import { I32, type Shared, SLOT, SLOT_COUNT, slotAt, type TaskKey } from './protocol.ts';

/**
 * The part of a flight recorder's file that the thread of the runs writes itself, at each begin and end: the slots of the table as they
 * are in memory, and the names of tasks by their number. Records do not cross pages, so that a kill leaves each whole.
 */
export const EVENTS = {
  /** Byte offset of the slots in the file, and from one to the next. */
  at: 1 << 20,
  stride: 256,
  /** Byte offset of the names, JSON that ends with a line feed, and from one to the next. */
  namesAt: (1 << 20) + 256 * SLOT_COUNT,
  nameStride: 1024,
  /** Numbers of tasks that have a place there. */
  maxNames: 512,
  /**
   * Byte offset of a Float64 that this thread writes when it goes on with the file of an agent that has died: ms since the Unix epoch at
   * the origin of its times. Greater than 0, the slots count whatever the last recording says; the next agent takes it back.
   */
  originAt: (1 << 20) + 256 * SLOT_COUNT + 1024 * 512,
} as const;

const GENERATION_BYTES = 4;

/** Writes it, while the agent wants it so or there is none. Before an agent has opened the file, and after a failure, nothing is written. */
export class EventFile {
  readonly #shared: Shared;

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  /** A run has begun in the slot. */
  opened(slot: number): void {
    this.#write(this.#shared.bytes, slotAt(slot), SLOT.bytes, EVENTS.at + slot * EVENTS.stride);
  }

  /** The run in the slot has ended, which its generation says. */
  closed(slot: number): void {
    this.#write(this.#shared.bytes, slotAt(slot), GENERATION_BYTES, EVENTS.at + slot * EVENTS.stride);
  }

  /** A task has got its number. */
  named(id: number, { framework, queue, task }: TaskKey): void {
    if (id >= EVENTS.maxNames) return;
    const text = Buffer.from(
      `${JSON.stringify([framework, queue, task].map((part) => part.slice(0, 100)))}\n`,
    );
    if (text.length <= EVENTS.nameStride)
      this.#write(text, 0, text.length, EVENTS.namesAt + id * EVENTS.nameStride);
  }

  /**
   * The agent has died: its recording would tell of runs that have ended since, and not of those that have begun.
   *
   * @param tasks by their numbers
   */
  goOn(tasks: readonly TaskKey[]): void {
    const { i32 } = this.#shared;
    const fd = Atomics.load(i32, I32.recorderFd);
    if (fd === 0 || Atomics.load(i32, I32.eventFd) !== 0) return;
    Atomics.store(i32, I32.eventFd, fd);
    for (const [id, task] of tasks.entries()) this.named(id, task);
    for (let slot = 0; slot < SLOT_COUNT; slot++) {
      const generation = i32[slotAt(slot) >> 2]!;
      // Slots are used in order: after one that never was, none has been.
      if (generation === 0) break;
      if ((generation & 1) === 1) this.opened(slot);
      else this.closed(slot);
    }
    const origin = Buffer.from(new Float64Array([Date.now() - threadMs()]).buffer);
    this.#write(origin, 0, origin.length, EVENTS.originAt);
  }

  #write(from: Buffer, at: number, length: number, position: number): void {
    const { i32 } = this.#shared;
    const fd = Atomics.load(i32, I32.eventFd);
    if (fd === 0) return;
    try {
      writeSync(fd, from, at, length, position);
    } catch {
      // A full disk, for one: the agent's own recordings go on, and say so.
      Atomics.store(i32, I32.eventFd, 0);
      i32[I32.errors]!++;
    }
  }
}
