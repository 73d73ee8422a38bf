import {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
  writevSync,
} from 'node:fs';
import { join } from 'node:path';
import { EVENTS, EventFile } from '../../bridge/event-file.ts';
import type { Inbox } from '../../bridge/inbox.ts';
import { CURRENT, END, F64, I32, SLOT, SLOT_COUNT, slotAt, type TaskKey } from '../../bridge/protocol.ts';
import type { StateFolder } from '../../config/state-dir.ts';
import { checkFolder, inStateFolder, makeFolder } from '../state-files.ts';
import { fileName } from './identity.ts';
import { END_KINDS, type End, type Identity, REGION_BYTES, type Resources, U32 } from './layout.ts';
import { RecordingWriter, type RunToRecord } from './recording.ts';

/** How often a recording is made while runs are in flight though none began or ended, ms: their usage and ages. */
const REFRESH_MS = 1000;
/** How often the file is written all the same, and looked after, ms: a process that is silent longer than that may be dead. */
const KEEP_MS = 10_000;
/** Silence of the event loop from which the run that holds the thread is recorded as such, ms. */
const BLOCKED_MS = 500;
/** How long writing is not tried again after it has failed, ms. */
const PAUSE_MS = 60_000;
const UNKNOWN_TASK: TaskKey = { framework: 'unknown', queue: 'unknown', task: 'unknown' };

export interface RecorderOptions {
  /** It is made when there is something to write. */
  readonly folder: StateFolder;
  readonly identity: Identity;
  /** The threads whose runs are recorded, the main thread first. */
  readonly inboxes: () => readonly Inbox[];
  /** Reads what the threads have written: a run is known by its task's number until the name has been read. */
  readonly drain: () => void;
  /** Of the whole process, as of now. `heapUsed` and `heapLimit` of the main thread are added. */
  readonly resources: () => Omit<Resources, 'at' | 'heapUsed' | 'heapLimit'>;
  /** Whether the main thread writes its own runs as well, as they begin and end. */
  readonly events?: boolean;
  /** ms since the Unix epoch. */
  readonly wallClock: () => number;
}

/**
 * The runs in flight in a file, which outlives the process: what began or ended since the last call is written, in one piece. Nothing
 * is synced, as the system's cache outlives a process too. The file is made by the first run, and is gone after an end in good order.
 */
export class Recorder {
  readonly #options: RecorderOptions;
  readonly #path: string;
  readonly #writer: RecordingWriter;
  /** Generations of the slots at the last recording. */
  readonly #seen = new WeakMap<Inbox, Int32Array>();
  /** One object for all runs: there are many. */
  readonly #run: { -readonly [Key in keyof RunToRecord]: RunToRecord[Key] };
  #resources: ReturnType<RecorderOptions['resources']> = {
    rss: Number.NaN,
    cpuMs: Number.NaN,
    oomKills: Number.NaN,
  };
  #resourcesAt = Number.NEGATIVE_INFINITY;
  #fd: number | undefined;
  /** What it stands for. */
  #file: string | undefined;
  /** Whether the main thread is to write into the file, too. */
  #isSharing: boolean;
  #isEmpty = true;
  #isOver = false;
  #writtenAt = Number.NEGATIVE_INFINITY;
  #keptAt = Number.NEGATIVE_INFINITY;
  #pausedUntil = Number.NEGATIVE_INFINITY;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#path = join(options.folder.path, fileName(options.identity));
    this.#fd = this.#leftOpen();
    this.#file = this.#fd === undefined ? undefined : fileOf(this.#fd);
    this.#isEmpty = this.#fd === undefined;
    this.#isSharing = options.events ?? false;
    this.#writer = new RecordingWriter(options.identity, this.#fd === undefined ? 0 : lastSequence(this.#fd));
    const nothing = {
      task: UNKNOWN_TASK,
      startedAt: 0,
      attempt: 0,
      cpuMs: 0,
      requests: 0,
      bytesIn: 0,
      bytesOut: 0,
    };
    this.#run = {
      ...nothing,
      from: new Uint8Array(),
      traceAt: 0,
      traceLength: 0,
      idAt: 0,
      idLength: 0,
      slot: -1,
      generation: 0,
    };
  }

  /**
   * To be called about ten times a second.
   *
   * @param now of a clock that is never set, ms
   * @throws Error what the file system says; it is tried again after a minute
   */
  tick(now: number): void {
    if (this.#isOver || now < this.#pausedUntil) return;
    const { any, inFlight } = this.#look();
    if (!inFlight && this.#fd === undefined && !this.#isSharing) return;
    const silence = now - this.#writtenAt;
    const isDue = this.#isEmpty && !inFlight ? silence >= KEEP_MS : any || silence >= REFRESH_MS;
    if (isDue) this.#attempt(now, undefined);
  }

  /**
   * The agent is about to load what keeps its thread for hundreds of milliseconds on a busy machine: until {@link settled} the main thread
   * writes its runs itself.
   *
   * @param now of a clock that is never set, ms
   * @throws Error what the file system says
   */
  share(now: number): void {
    if (this.#isSharing || this.#isOver) return;
    this.#isSharing = true;
    if (this.#fd !== undefined) this.#shareFile(this.#fd);
    if (now >= this.#pausedUntil) this.#attempt(now, undefined);
  }

  /** The agent's own recordings do from now on. @param now of a clock that is never set, ms @throws Error what the file system says */
  settled(now: number): void {
    const main = this.#options.inboxes()[0];
    if (this.#options.events || this.#isOver || main === undefined) return;
    this.#isSharing = false;
    Atomics.store(main.shared.i32, I32.eventFd, 0);
    if (this.#fd === undefined || now < this.#pausedUntil) return;
    this.#attempt(now, undefined);
    // Only now: until then what the main thread had written, maybe without any agent, was all that there was.
    writeSync(this.#fd, Buffer.alloc(8), 0, 8, EVENTS.originAt);
  }

  /**
   * The process ends, or is no longer watched: where runs are in flight, they and the way it ends are recorded; otherwise there is
   * nothing to tell.
   *
   * @param now of a clock that is never set, ms
   */
  end(now: number): void {
    if (this.#isOver) return;
    const end = this.#ownEnd();
    if (end === 'stopped' || !this.#look().inFlight) this.#forget();
    else this.#attempt(now, end);
    // After an end of which nothing is known the process goes on, as after a flush in between.
    this.#isOver = end !== undefined;
  }

  /** Whether a run began or ended since the last recording, and whether any is in flight. */
  #look(): { readonly any: boolean; readonly inFlight: boolean } {
    let any = false;
    let inFlight = false;
    for (const inbox of this.#options.inboxes()) {
      if (inbox.closed) continue;
      const { i32 } = inbox.shared;
      const seen = this.#seenOf(inbox);
      for (let slot = 0; slot < SLOT_COUNT; slot++) {
        const generation = Atomics.load(i32, slotAt(slot) >> 2);
        // Slots are used in order: after one that never was, none has been.
        if (generation === 0) break;
        if ((generation & 1) === 1) inFlight = true;
        if (seen[slot] !== generation) any = true;
      }
    }
    return { any, inFlight };
  }

  #seenOf(inbox: Inbox): Int32Array {
    let seen = this.#seen.get(inbox);
    if (seen === undefined) {
      seen = new Int32Array(SLOT_COUNT);
      this.#seen.set(inbox, seen);
    }
    return seen;
  }

  #attempt(now: number, end: End | undefined): void {
    this.#pausedUntil = now + PAUSE_MS;
    if (!this.#isOurs) this.#close();
    if (this.#fd === undefined || now - this.#keptAt >= KEEP_MS) this.#keep(now);
    this.#options.drain();
    this.#write(now, end);
    this.#pausedUntil = Number.NEGATIVE_INFINITY;
    this.#writtenAt = now;
  }

  /** The file of a former agent of this process, which is gone on with. */
  #leftOpen(): number | undefined {
    const main = this.#options.inboxes()[0];
    const fd = main === undefined ? 0 : Atomics.load(main.shared.i32, I32.recorderFd);
    return fd === 0 ? undefined : fd;
  }

  /** Not so once the program has closed what is not its own: the number may be that of another file by now. */
  get #isOurs(): boolean {
    return this.#fd !== undefined && fileOf(this.#fd) === this.#file;
  }

  /** Opens the file, also anew where somebody has removed it, as those do who tidy the temporary files up. */
  #keep(now: number): void {
    if (this.#fd !== undefined && fstatSync(this.#fd).nlink === 0) this.#close();
    if (this.#fd === undefined) {
      const { folder } = this.#options;
      this.#fd = inStateFolder(() => {
        makeFolder(folder.path);
        checkFolder(folder);
        return openSync(this.#path, 'w+', 0o600);
      });
      this.#file = fileOf(this.#fd);
      const main = this.#options.inboxes()[0];
      if (main !== undefined) Atomics.store(main.shared.i32, I32.recorderFd, this.#fd);
      if (this.#isSharing) this.#shareFile(this.#fd);
    }
    this.#keptAt = now;
  }

  #write(now: number, end: End | undefined): void {
    const main = this.#options.inboxes()[0];
    if (main === undefined || this.#fd === undefined) return;
    this.#writer.begin();
    // Which run has the thread is chance as a rule. It is a suspect if it has it when the process ends, or will not let go of it.
    const isTelling = end !== undefined || main.lagMs() >= BLOCKED_MS;
    const current = isTelling ? Atomics.load(main.shared.i32, I32.current) : CURRENT.unknown;
    let holder: number | undefined;
    for (const inbox of this.#options.inboxes()) {
      if (inbox.closed) continue;
      const holding = this.#collect(inbox, inbox === main, current);
      if (holding !== undefined) holder = holding;
    }
    const { f64, i32 } = main.shared;
    // They cost more than all the rest.
    if (now - this.#resourcesAt >= REFRESH_MS) {
      this.#resources = this.#options.resources();
      this.#resourcesAt = now;
    }
    const resources = {
      ...this.#resources,
      at: this.#options.wallClock(),
      heapUsed: f64[F64.usedHeap]!,
      heapLimit: f64[F64.heapLimit]!,
    };
    const stopSignal = Atomics.load(i32, I32.stopSignal);
    // Where the main thread's own writing has failed, what it has written is of the past.
    const isShared = Atomics.load(i32, I32.eventFd) !== 0;
    const origin = isShared ? this.#options.wallClock() - main.now() : Number.NaN;
    const { parts, at } = this.#writer.finish({ resources, holder, end, stopSignal, origin });
    writevSync(this.#fd, parts, at);
    this.#isEmpty = this.#writer.runs === 0;
  }

  /** Records the runs of a thread. @returns the index of the run in the main thread's slot `current` */
  #collect(inbox: Inbox, isMain: boolean, current: number): number | undefined {
    const { i32, f64, bytes } = inbox.shared;
    const run = this.#run;
    const origin = this.#options.wallClock() - inbox.now();
    const seen = this.#seenOf(inbox);
    let holder: number | undefined;
    run.from = bytes;
    for (let slot = 0; slot < SLOT_COUNT; slot++) {
      const at = slotAt(slot);
      const generation = Atomics.load(i32, at >> 2);
      if (generation === 0) break;
      seen[slot] = generation;
      if ((generation & 1) === 0) continue;
      run.task = this.#task(inbox, i32[(at + SLOT.task) >> 2]!);
      run.startedAt = origin + f64[(at + SLOT.start) >> 3]!;
      run.attempt = i32[(at + SLOT.attempt) >> 2]!;
      run.cpuMs = f64[(at + SLOT.cpuMs) >> 3]!;
      run.requests = i32[(at + SLOT.requests) >> 2]!;
      run.bytesIn = f64[(at + SLOT.bytesIn) >> 3]!;
      run.bytesOut = f64[(at + SLOT.bytesOut) >> 3]!;
      run.traceAt = at + SLOT.trace;
      run.traceLength = i32[(at + SLOT.traceLength) >> 2]!;
      run.idAt = at + SLOT.id;
      run.idLength = i32[(at + SLOT.idLength) >> 2]!;
      run.slot = isMain ? slot : -1;
      run.generation = generation;
      const index = this.#writer.add(run);
      if (Atomics.load(i32, at >> 2) !== generation) this.#writer.takeBack(index);
      else if (isMain && slot === current && index >= 0) holder = index;
    }
    return holder;
  }

  /** The first run of a task may have begun since the last reading, and its recording may be the only one. */
  #task({ tasks }: Inbox, id: number): TaskKey {
    if (tasks[id] === undefined) this.#options.drain();
    return tasks[id] ?? UNKNOWN_TASK;
  }

  #ownEnd(): End | 'stopped' | undefined {
    const main = this.#options.inboxes()[0];
    if (main === undefined) return undefined;
    const { i32 } = main.shared;
    const kind = Atomics.load(i32, I32.endKind);
    if (kind === END.stopped) return 'stopped';
    return kind === END.none
      ? undefined
      : { kind: END_KINDS[kind - 1]!, code: Atomics.load(i32, I32.endCode) };
  }

  /** Has the main thread write into the file too, which then holds what is in flight already. */
  #shareFile(fd: number): void {
    const main = this.#options.inboxes()[0];
    if (main === undefined) return;
    const events = new EventFile(main.shared);
    const { i32 } = main.shared;
    Atomics.store(i32, I32.eventFd, fd);
    this.#options.drain();
    for (const [id, task] of main.tasks.entries()) if (task !== undefined) events.named(id, task);
    for (let slot = 0; slot < SLOT_COUNT; slot++) {
      let generation: number;
      // Until what was written is what is there: the main thread may have written its end before.
      do {
        generation = Atomics.load(i32, slotAt(slot) >> 2);
        if ((generation & 1) === 1) events.opened(slot);
      } while (Atomics.load(i32, slotAt(slot) >> 2) !== generation);
      if (generation === 0) break;
    }
  }

  /** The main thread may be about to write into a file of events: its number must not become another file's. */
  #close(): void {
    if (this.#fd === undefined) return;
    const main = this.#options.inboxes()[0];
    const isShared = main !== undefined && Atomics.load(main.shared.i32, I32.eventFd) !== 0;
    if (main !== undefined) {
      Atomics.store(main.shared.i32, I32.eventFd, 0);
      Atomics.store(main.shared.i32, I32.recorderFd, 0);
    }
    if (!isShared && !this.#isSharing && this.#isOurs) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #forget(): void {
    if (this.#fd === undefined) return;
    if (this.#isOurs) ftruncateSync(this.#fd);
    this.#close();
    this.#isEmpty = true;
    try {
      rmSync(this.#path, { force: true });
    } catch {
      // The program has given its rights up since. An empty file tells of nobody's death, and the next process tidies up.
    }
  }
}

/** What a descriptor stands for; undefined when it is closed. */
function fileOf(fd: number): string | undefined {
  try {
    const { dev, ino } = fstatSync(fd);
    return `${dev} ${ino}`;
  } catch {
    return undefined;
  }
}

/** Number of the younger recording in a file; a region that was never written has number 0. */
function lastSequence(fd: number): number {
  const word = new Uint32Array(1);
  return Math.max(
    ...[0, REGION_BYTES].map((at) => {
      word[0] = 0;
      readSync(fd, word, 0, 4, at + 4 * U32.sequence);
      return word[0];
    }),
  );
}
