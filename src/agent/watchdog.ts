import { setTimeout as pause } from 'node:timers/promises';
import type { ActiveRun, Inbox } from '../bridge/inbox.ts';
import { F64, GC_KINDS, I32, type TaskKey } from '../bridge/protocol.ts';
import type { Registry } from '../store/registry.ts';
import { type BlockClass, classifyEnded, isExcused } from './blocks/classify.ts';
import type { Inspection, Seen } from './blocks/inspection.ts';
import { taskAttributes } from './ingest.ts';

/** Checks without a heartbeat in a row before a loop counts as blocked: a thread that was merely stopped beats at once. */
const SILENT_CHECKS = 3;
/** How late a check of ours may come before it says nothing about the other thread, unless that has run meanwhile. */
const LATE_CHECKS = 3;
/** CPU time by which a thread has run, ms. */
const RAN_MS = 2;
/** How long before it counts as blocked a thread is asked where it is, and how long the answer is waited for, ms. */
const LEAD_MS = 150;
const ANSWER_MS = 100;

/** Stands for code outside of handler runs. */
const NO_TASK: TaskKey = { framework: 'none', queue: 'none', task: 'none' };

/** A blocked loop. */
export interface Block {
  /** The run that holds it; undefined where that is code outside of runs, or not known. */
  readonly run: ActiveRun | undefined;
  readonly tasks: readonly TaskKey[];
  /** Undefined for a thread that cannot be looked into. */
  kind: BlockClass | undefined;
  /** One frame a line, the innermost first; '' where it is not known, or not yet. */
  stack: string;
  /** CPU time of the thread during the block, ms. */
  cpuMs: number | undefined;
  /** How long it has lasted, or did, ms. */
  durationMs: number;
}

export interface WatchdogOptions {
  readonly registry: Registry;
  /** Lengths of a block at which it is to be told, ascending, ms; the first is the one from which a loop counts as blocked. */
  readonly marks: () => readonly number[];
  readonly intervalMs: number;
  /** Looks into the thread; undefined where that is not possible. */
  readonly inspect: () => Pick<Inspection, 'see' | 'look'> | undefined;
  /** CPU time of the thread, and of this one, ms; undefined where it is not known. */
  readonly cpuMs: () => number | undefined;
  readonly ownCpuMs: () => number | undefined;
  /** Whether the agent itself keeps the thread. */
  readonly isHeld: () => boolean;
  /** A loop has just been found blocked, or has been for as long as the next mark. */
  readonly onBlocked: (block: Block) => void;
  readonly onFree: (block: Block) => void;
}

interface Suspicion {
  task: TaskKey;
  kind: 'exclusive' | 'shared';
}

/** Watches the heartbeat of one thread and writes `task.event_loop.blocked` while it stays away. */
export class Watchdog {
  readonly #inbox: Inbox;
  readonly #options: WatchdogOptions;
  #beat = -1;
  #silent = 0;
  #checkedAt = Number.NaN;
  /** Time of the silence in which the whole process stood still, or the thread was none of ours to judge, ms. */
  #unseenMs = 0;
  /** CPU time of the thread at its last beat and at the last check, ms. */
  #cpuAtBeat: number | undefined;
  #ownCpuAtBeat = 0;
  #cpuSeen: number | undefined;
  #gcAtBeat = 0;
  #inspection: Pick<Inspection, 'see' | 'look'> | undefined;
  #isDeciding = false;
  #excused: BlockClass | undefined;
  #block: Block | undefined;
  /** When it began, ms of the thread's performance.now(). */
  #blockedAt = 0;
  #suspects: readonly Suspicion[] = [];
  /** Marks that the block has passed. */
  #told = 0;

  constructor(inbox: Inbox, options: WatchdogOptions) {
    this.#inbox = inbox;
    this.#options = options;
  }

  /** To be called every `intervalMs`; `nowMs` of a monotonic clock. */
  async check(nowMs: number): Promise<void> {
    const { intervalMs } = this.#options;
    const beat = Atomics.load(this.#inbox.shared.i32, I32.beat);
    const gap = nowMs - this.#checkedAt;
    const cpuMs = this.#options.cpuMs();
    const ran = cpuMs !== undefined && cpuMs - (this.#cpuSeen ?? cpuMs) >= RAN_MS;
    this.#checkedAt = nowMs;
    this.#cpuSeen = cpuMs;
    if (beat !== this.#beat || this.#inbox.closed) {
      this.#free();
      this.#begin(beat, cpuMs);
      return;
    }
    this.#silent++;
    if (gap > LATE_CHECKS * intervalMs && !ran) {
      // Nothing of the process ran, this thread included.
      this.#unseenMs += gap - intervalMs;
      this.#silent = 0;
    }
    if (this.#block === undefined && this.#options.isHeld()) this.#unseenMs += this.#lagMs();
    const lagMs = this.#lagMs();
    if (this.#block !== undefined) this.#goOn(this.#block, lagMs);
    else if (this.#silent >= SILENT_CHECKS) await this.#suspect(beat, lagMs);
  }

  /** Whether it is about to say that the loop is blocked. */
  get isPending(): boolean {
    return this.#inspection !== undefined && this.#block === undefined && this.#excused === undefined;
  }

  /** Ends what it says of its thread, which has ended. */
  release(): void {
    this.#free();
  }

  #begin(beat: number, cpuMs: number | undefined): void {
    this.#beat = beat;
    this.#silent = 0;
    this.#unseenMs = 0;
    this.#cpuAtBeat = cpuMs;
    this.#ownCpuAtBeat = this.#ownCpuMs();
    this.#gcAtBeat = this.#gcMs();
    this.#inspection = undefined;
    this.#excused = undefined;
  }

  #lagMs(): number {
    return Math.max(0, this.#inbox.lagMs() - this.#unseenMs);
  }

  async #suspect(beat: number, lagMs: number): Promise<void> {
    const [threshold = Number.POSITIVE_INFINITY] = this.#options.marks();
    if (lagMs < threshold - LEAD_MS || this.#isDeciding) return;
    this.#inspection ??= this.#options.inspect();
    // Not at the next look: that would be late by half an interval on average.
    if (lagMs < threshold - this.#options.intervalMs) return;
    this.#isDeciding = true;
    try {
      if (!(await this.#reaches(threshold, beat))) return;
      const seen = await this.#inspection?.see(ANSWER_MS, {
        lagMs: this.#lagMs(),
        cpuMs: this.#cpuSince(),
        agentMs: this.#ownCpuMs() - this.#ownCpuAtBeat,
      });
      // The answer may have come because the loop is free again.
      if (this.#isBeaten(beat)) return;
      if (isExcused(seen?.kind)) this.#excuse(seen.kind);
      else this.#found(seen);
    } finally {
      this.#isDeciding = false;
    }
  }

  /** Waits until the silence is so long. @returns whether it was, as far as could be seen: what came late is for the next look to judge */
  async #reaches(threshold: number, beat: number): Promise<boolean> {
    // A timer comes early by what its thread has done since its loop turned.
    for (let left = threshold - this.#lagMs(); left > 0; left = threshold - this.#lagMs()) {
      const askedAt = performance.now();
      await pause(left + 1);
      const lateMs = performance.now() - askedAt - left;
      if (this.#isBeaten(beat) || lateMs > LATE_CHECKS * this.#options.intervalMs) return false;
    }
    return true;
  }

  /** Whether the thread has given a sign of life since, or has ended. */
  #isBeaten(beat: number): boolean {
    return Atomics.load(this.#inbox.shared.i32, I32.beat) !== beat || this.#inbox.closed;
  }

  /** No fault of a task: told once a silence. A paused thread begins anew, a starved one may turn out to be busy. */
  #excuse(kind: 'host_starved' | 'debugger'): void {
    if (this.#excused !== kind) this.#options.registry.add('taskwarden.blocks.excused', { reason: kind }, 1);
    this.#excused = kind;
    if (kind !== 'debugger') return;
    this.#unseenMs += this.#lagMs();
    this.#cpuAtBeat = this.#cpuSeen;
    this.#inspection = undefined;
  }

  #found(seen: Seen | undefined): void {
    const holder = this.#holder(seen?.slot);
    const named =
      holder === 'unknown'
        ? [...new Set(this.#inbox.active().map((run) => run.task))]
        : [holder?.task ?? NO_TASK];
    this.#suspects = named.map((task) => ({ task, kind: named.length === 1 ? 'exclusive' : 'shared' }));
    this.#told = 0;
    this.#blockedAt = this.#inbox.aliveAt();
    this.#block = {
      run: holder === 'unknown' ? undefined : holder,
      tasks: named,
      kind: seen?.kind,
      stack: seen?.stack ?? '',
      cpuMs: seen?.cpuMs,
      durationMs: 0,
    };
    this.#goOn(this.#block, this.#lagMs());
  }

  #holder(asked: number | undefined): ActiveRun | 'unknown' | undefined {
    const current = this.#inbox.current();
    const slot = current === 'unknown' ? asked : (current ?? -1);
    if (slot === undefined) return 'unknown';
    return slot < 0 ? undefined : this.#inbox.slot(slot);
  }

  #goOn(block: Block, lagMs: number): void {
    block.durationMs = lagMs;
    block.cpuMs = this.#cpuSince() ?? block.cpuMs;
    this.#takeLateStack(block);
    this.#write(lagMs);
    const passed = this.#options.marks().filter((mark) => mark <= lagMs).length;
    if (passed <= this.#told && this.#told > 0) return;
    this.#told = Math.max(1, passed);
    this.#options.onBlocked(block);
  }

  /** Native code has returned: the thread says where it was, if it is still about the same run. */
  #takeLateStack(block: Block): void {
    const look = this.#inspection?.look;
    if (block.stack !== '' || look === undefined) return;
    const isKnown = block.run !== undefined || block.tasks[0] === NO_TASK;
    // Where nobody keeps track of the holder, the answer is all that is known.
    if (!isKnown || look.slot === undefined || look.slot === (block.run?.slot ?? -1))
      block.stack = look.stack;
  }

  #free(): void {
    const block = this.#block;
    if (block === undefined) return;
    this.#block = undefined;
    this.#takeLateStack(block);
    const ended = this.#inbox.closed
      ? 0
      : this.#inbox.shared.f64[F64.beatAt]! - this.#blockedAt - this.#unseenMs;
    block.durationMs = Math.max(block.durationMs, ended);
    if (block.kind !== undefined)
      block.kind = classifyEnded(block.kind, block.durationMs, this.#gcMs() - this.#gcAtBeat);
    this.#write(0);
    this.#options.onFree(block);
  }

  #cpuSince(): number | undefined {
    if (this.#cpuSeen === undefined || this.#cpuAtBeat === undefined) return undefined;
    return this.#cpuSeen - this.#cpuAtBeat;
  }

  #ownCpuMs(): number {
    return this.#options.ownCpuMs() ?? 0;
  }

  #gcMs(): number {
    const { f64 } = this.#inbox.shared;
    return GC_KINDS.reduce((sum, _, kind) => sum + f64[F64.gcSumMs + kind]!, 0);
  }

  #write(lagMs: number): void {
    for (const { task, kind } of this.#suspects) {
      const attributes = { ...taskAttributes(task), 'task.suspicion': kind };
      this.#options.registry.set('task.event_loop.blocked', attributes, lagMs / 1000);
    }
  }
}
