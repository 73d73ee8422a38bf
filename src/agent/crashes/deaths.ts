import { appendFileSync, lstatSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { TaskKey } from '../../bridge/protocol.ts';
import type { Crash } from './crash.ts';

/** A file with more bytes becomes the former one, in the place of the one before. */
const MAX_BYTES = 256 * 1024;
/** Runs of one death that are remembered, and poisonous jobs and tasks that are named. */
const MAX_RUNS = 64;
const MAX_NAMED = 20;
const MAX_TEXT = 200;
const HOUR_MS = 3_600_000;

/** One line of the file. */
interface Death {
  /** ms since the Unix epoch. */
  readonly at: number;
  readonly service: string;
  /** Framework, queue, task, job id, and 1 where the run was the only suspect. */
  readonly runs: readonly (readonly [string, string, string, string, 0 | 1])[];
  /** No death, but the end of what was known of these jobs: they have run well since. */
  readonly healed?: boolean;
}

/** A job, or a task as a whole, that was in flight at too many deaths. */
export interface Poison {
  readonly task: TaskKey;
  /** '' for the task as a whole. */
  readonly jobId: string;
  readonly deaths: number;
  /** Of the last one, ms since the Unix epoch. */
  readonly at: number;
}

export interface PoisonOptions {
  /** Deaths at which one job was in flight from which it counts as poison. */
  readonly deaths: number;
  /** Deaths within an hour of which a task was the only suspect from which all of it does. */
  readonly taskDeaths: number;
  /** How long a death counts, ms. */
  readonly window: number;
}

/**
 * Deaths of the workers of this host, which outlive all of them: one line each in a file that every process appends to, in one write
 * and so whole. It is bounded, as is what a death says.
 */
export class Deaths {
  readonly #path: string;

  /** @param folder the state folder, which is there */
  constructor(folder: string) {
    this.#path = join(folder, 'deaths.jsonl');
  }

  /** @throws Error what the file system says */
  remember({ at, service, runs }: Crash): void {
    const death: Death = {
      at: Math.round(at),
      service: cut(service),
      runs: runs
        .slice(0, MAX_RUNS)
        .map(({ task: { framework, queue, task }, jobId, suspicion }) => [
          cut(framework),
          cut(queue),
          cut(task),
          cut(jobId),
          suspicion === 'exclusive' ? 1 : 0,
        ]),
    };
    this.#append(death);
  }

  /** A job that counted as poison has run well. @throws Error what the file system says */
  heal({ task: { framework, queue, task }, jobId }: Poison, service: string, at: number): void {
    this.#append({
      at: Math.round(at),
      service: cut(service),
      runs: [[framework, queue, task, jobId, 0]],
      healed: true,
    });
  }

  #append(death: Death): void {
    if (isFull(this.#path)) this.#putAway();
    appendFileSync(this.#path, `${JSON.stringify(death)}\n`, { mode: 0o600 });
  }

  /** Another process may do it at the same time: whoever gets the full file makes it the former one. */
  #putAway(): void {
    const taken = `${this.#path}.${Math.random().toString(36).slice(2)}`;
    try {
      renameSync(this.#path, taken);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return;
    }
    if (isFull(taken)) renameSync(taken, `${this.#path}.old`);
    else {
      appendFileSync(this.#path, readFileSync(taken), { mode: 0o600 });
      rmSync(taken);
    }
  }

  /** Changes with what is remembered; '' where nothing is. */
  get version(): string {
    const found = lstatSync(this.#path, { throwIfNoEntry: false });
    return found === undefined ? '' : `${found.size} ${found.mtimeMs}`;
  }

  /**
   * What has killed workers of the service too often.
   *
   * @param now ms since the Unix epoch
   */
  poison(service: string, now: number, options: PoisonOptions): Poison[] {
    const jobs = new Map<string, Poison>();
    const tasks = new Map<string, Poison>();
    for (const death of this.#read()) {
      if (death.service !== cut(service) || now - death.at > options.window) continue;
      const suspects = new Set<string>();
      for (const [framework, queue, task, jobId, isOnly] of death.runs) {
        const key = { framework, queue, task };
        const job = JSON.stringify([key, jobId]);
        if (death.healed === true) jobs.delete(job);
        else if (jobId !== '' && !suspects.has(job))
          count(jobs, job, { task: key, jobId, deaths: 1, at: death.at });
        suspects.add(job);
        const name = JSON.stringify(key);
        if (isOnly === 0 || suspects.has(name) || now - death.at > HOUR_MS) continue;
        suspects.add(name);
        count(tasks, name, { task: key, jobId: '', deaths: 1, at: death.at });
      }
    }
    return [
      ...[...jobs.values()].filter(({ deaths }) => deaths >= options.deaths),
      ...[...tasks.values()].filter(({ deaths }) => deaths >= options.taskDeaths),
    ]
      .sort((a, b) => b.at - a.at)
      .slice(0, MAX_NAMED);
  }

  *#read(): Generator<Death> {
    for (const path of [`${this.#path}.old`, this.#path])
      for (const line of textOf(path).split('\n')) {
        const death = parse(line);
        if (death !== undefined) yield death;
      }
  }
}

function isFull(path: string): boolean {
  return (lstatSync(path, { throwIfNoEntry: false })?.size ?? 0) > MAX_BYTES;
}

function count(all: Map<string, Poison>, key: string, one: Poison): void {
  const known = all.get(key);
  all.set(
    key,
    known === undefined ? one : { ...known, deaths: known.deaths + 1, at: Math.max(known.at, one.at) },
  );
}

/** Undefined for what is no death: half a line of a full disk, or another program's. */
function parse(line: string): Death | undefined {
  try {
    const { at, service, runs, healed } = JSON.parse(line) as Partial<Record<keyof Death, unknown>>;
    const isDeath =
      typeof at === 'number' &&
      typeof service === 'string' &&
      Array.isArray(runs) &&
      runs.every((run) => Array.isArray(run) && run.slice(0, 4).every((part) => typeof part === 'string'));
    return isDeath ? ({ at, service, runs, healed: healed === true } as Death) : undefined;
  } catch {
    return undefined;
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function cut(text: string): string {
  return text.length <= MAX_TEXT ? text : text.slice(0, MAX_TEXT);
}
