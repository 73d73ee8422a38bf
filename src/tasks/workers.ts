/** What can be asked of the workers of one library. */
export interface WorkerControls<W extends object = object> {
  readonly isPaused: (worker: W) => boolean;
  /** Takes no more jobs; those in flight go on. */
  readonly pause: (worker: W) => unknown;
  readonly resume: (worker: W) => unknown;
  /** Takes no more jobs, and fulfils when those in flight have ended and their ends are written. */
  readonly close: (worker: W) => Promise<unknown>;
}

interface Known {
  readonly framework: string;
  readonly queue: string;
  readonly worker: WeakRef<object>;
  readonly controls: WorkerControls;
}

/** The workers of this thread, for as long as somebody else holds them. Exists only where an action may need them. */
export class Workers {
  #known: Known[] = [];
  /** Those that were paused here, by who asked for it. */
  readonly #paused = new Map<string, Known[]>();
  /** Nobody takes jobs again in a process that ends. */
  #isEnding = false;

  add<W extends object>(framework: string, queue: string, worker: W, controls: WorkerControls<W>): void {
    this.#known = this.#known.filter((known) => known.worker.deref() !== undefined);
    this.#known.push({
      framework,
      queue,
      worker: new WeakRef<object>(worker),
      controls: controls as unknown as WorkerControls,
    });
  }

  /**
   * Pauses the workers of a queue that are not paused already.
   *
   * @param by who wants it, to be named again in {@link resume}
   * @returns workers of the queue, and those of them that were paused now
   */
  async pause(framework: string, queue: string, by: string): Promise<{ known: number; paused: number }> {
    const known = this.#known.filter(
      (each) => each.framework === framework && each.queue === queue && each.worker.deref() !== undefined,
    );
    const running = known.filter(({ worker, controls }) => !controls.isPaused(worker.deref()!));
    const others = [...this.#paused.values()].flat();
    // Paused by another alert: it stays so until both have ended.
    const shared = known.filter((each) => others.includes(each));
    this.#paused.set(by, [...running, ...shared]);
    await Promise.all(running.map(({ worker, controls }) => controls.pause(worker.deref()!)));
    return { known: known.length, paused: running.length };
  }

  /** Resumes what was paused for `by` and is wanted paused by nobody else. @returns how many workers */
  async resume(by: string): Promise<number> {
    const mine = this.#paused.get(by) ?? [];
    this.#paused.delete(by);
    if (this.#isEnding) return 0;
    const others = [...this.#paused.values()].flat();
    const free = mine.filter((each) => !others.includes(each) && each.worker.deref() !== undefined);
    await Promise.all(free.map(({ worker, controls }) => controls.resume(worker.deref()!)));
    return free.length;
  }

  /** Resumes everything: nobody is left who would. A worker that cannot be resumed does not keep the others. */
  async resumeAll(): Promise<void> {
    await Promise.allSettled([...this.#paused.keys()].map((by) => this.resume(by)));
  }

  /** No worker takes another job: the process is about to end. */
  stop(): void {
    this.#isEnding = true;
    for (const { worker, controls } of this.#known) {
      const alive = worker.deref();
      if (alive === undefined) continue;
      void (async () => controls.pause(alive))().catch(() => {});
    }
  }

  /** Fulfils when every worker has ended its jobs. */
  async close(): Promise<void> {
    this.#isEnding = true;
    const ends = this.#known.map(async ({ worker, controls }) => {
      const alive = worker.deref();
      if (alive !== undefined) await controls.close(alive);
    });
    await Promise.allSettled(ends);
  }
}
