import { setTimeout as delay } from 'node:timers/promises';
import { ownProcess } from '../../agent/process-id.ts';
import type { Config } from '../../config/config.ts';
import { formatDuration } from '../../model/duration.ts';
import type { Io } from '../io.ts';
import type { RunArguments } from './arguments.ts';
import type { Limits } from './limits.ts';
import { OpenAlerts } from './open-alerts.ts';
import { PASSED_ON, startWorker, type Worker, type WorkerEnd } from './worker.ts';

/** Signals that tell a worker to stop, so that its end is no death to be told of. */
const STOP: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGQUIT'];
/** Exit code of a shell whose command was killed by SIGKILL. */
const SHELL_KILLED = 137;
const MAX_PAUSE_MS = 60_000;
/** A worker that has run for so long has started well: the next pause is the first again. */
const SETTLED_MS = 60_000;

export interface SupervisorOptions {
  readonly io: Io;
  readonly config: Config;
  readonly limits: Limits;
  readonly asked: Pick<RunArguments, 'command' | 'restarts' | 'backoff'>;
}

/** Keeps one worker running. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #id: string;
  readonly #wake = new AbortController();
  readonly #alerts = new OpenAlerts();
  #worker: Worker | undefined;
  /** The signal by which this process was told to stop. */
  #stopped: NodeJS.Signals | undefined;
  #restarts = 0;
  #pauseMs: number;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    const { pid, start } = ownProcess();
    this.#id = `${pid}-${start}`;
    this.#pauseMs = options.asked.backoff;
  }

  /**
   * Runs the worker, again as often as is asked for.
   *
   * @returns how it ended the last time
   * @throws Error of the system where the command cannot be run
   */
  async run(): Promise<WorkerEnd> {
    for (const signal of PASSED_ON) process.on(signal, () => this.#pass(signal));
    const { limits, asked, io, config } = this.#options;
    for (;;) {
      const killsBefore = limits.oomKills();
      this.#worker = await startWorker([...limits.prefix, ...asked.command], this.#environment(), io.cwd);
      if (this.#stopped !== undefined) this.#worker.kill(this.#stopped);
      const end = await this.#worker.ended;
      const { pid, startedAt } = this.#worker;
      this.#worker = undefined;
      const again = this.#pauseBefore(end, startedAt);
      const wasKilled = end.signal === 'SIGKILL' || end.code === SHELL_KILLED;
      const seen = { ...end, oomKilled: wasKilled && limits.oomKills() > killsBefore };
      const wasStopped = this.#stopped !== undefined || end.signal === 'SIGHUP';
      const { tellDeath } = await import('./tell.ts');
      const report = { config, supervisor: this.#id, pid, seen, startedAt, wasStopped, open: this.#alerts };
      const told = tellDeath(report, (text) => io.err(`taskwarden: ${text}`), this.#plan(again));
      if (again !== undefined) await delay(again, undefined, { signal: this.#wake.signal }).catch(() => {});
      if (again === undefined || this.#stopped !== undefined) {
        await told;
        await this.#alerts.endAll();
        return end;
      }
    }
  }

  /** The pause before the next start, ms; undefined where there is none. */
  #pauseBefore({ code, signal, at }: WorkerEnd, startedAt: number): number | undefined {
    const { restarts, backoff } = this.#options.asked;
    if (this.#stopped !== undefined || code === 0 || signal === 'SIGHUP') return undefined;
    if (this.#restarts >= restarts) return undefined;
    if (at - startedAt >= SETTLED_MS) this.#pauseMs = backoff;
    const pauseMs = this.#pauseMs;
    this.#pauseMs = Math.min(MAX_PAUSE_MS, 2 * pauseMs);
    this.#restarts++;
    return pauseMs;
  }

  #plan(pauseMs: number | undefined): string {
    if (pauseMs === undefined) return '';
    const { restarts } = this.#options.asked;
    const count = Number.isFinite(restarts) ? ` (${this.#restarts} of ${restarts})` : '';
    return `; starting again in ${formatDuration(pauseMs)}${count}`;
  }

  #pass(signal: NodeJS.Signals): void {
    if (STOP.includes(signal)) {
      this.#stopped = signal;
      this.#wake.abort();
    }
    // What a terminal sends goes to all of its processes.
    const fromTerminal = process.stdin.isTTY && (signal === 'SIGINT' || signal === 'SIGQUIT');
    if (!fromTerminal) this.#worker?.kill(signal);
  }

  #environment(): Record<string, string | undefined> {
    const { env } = this.#options.io;
    const given = env.NODE_OPTIONS ?? '';
    const preload = `--import=${registerUrl()}`;
    const options = [...this.#options.limits.nodeOptions, given, given.includes(preload) ? '' : preload];
    return {
      ...env,
      NODE_OPTIONS: options.filter((option) => option !== '').join(' '),
      TASKWARDEN_SUPERVISOR: this.#id,
    };
  }
}

/** The preload lies beside the command line, in the build as in the sources. */
function registerUrl(): string {
  const place = import.meta.url.endsWith('.ts') ? '../../register.ts' : './register.js';
  return new URL(place, import.meta.url).href;
}
