import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { asynqBinary } from './go-programs.ts';
import type { RedisServer } from './redis.ts';
import { type ServerProcess, startServer } from './server-process.ts';

/** One line for `asynq enqueue`, see test/interop/asynq/enqueue.go. Times in ms. */
export interface Wish {
  readonly type: string;
  readonly queue?: string;
  readonly id?: string;
  readonly payload?: { ms?: number; bytes?: number; steps?: number; error?: string; pad?: string };
  readonly maxRetry?: number;
  readonly timeout?: number;
  readonly deadline?: number;
  readonly processIn?: number;
  readonly unique?: number;
  readonly retention?: number;
  readonly group?: string;
  readonly times?: number;
}

/** A queue as asynq's Inspector describes it. */
export interface InspectedQueue {
  readonly Queue: string;
  /** Nanoseconds. */
  readonly Latency: number;
  readonly Pending: number;
  readonly Active: number;
  readonly Scheduled: number;
  readonly Retry: number;
  readonly Archived: number;
  readonly Completed: number;
  readonly Aggregating: number;
  readonly Groups: number;
  readonly ProcessedTotal: number;
  readonly FailedTotal: number;
  readonly Paused: boolean;
}

export interface InspectedServer {
  readonly ID: string;
  readonly Host: string;
  readonly PID: number;
  readonly Concurrency: number;
  readonly Queues: Readonly<Record<string, number>>;
  readonly StrictPriority: boolean;
  readonly Started: string;
  readonly Status: string;
  readonly ActiveWorkers:
    | readonly { TaskID: string; TaskType: string; Queue: string; Started: string; Deadline: string }[]
    | null;
}

export interface Inspected {
  readonly queues: readonly InspectedQueue[];
  readonly servers: readonly InspectedServer[];
  readonly schedulers: readonly { ID: string; Spec: string; Type: string; Next: number; Prev: number }[];
}

/** The programs of asynq on one Redis. */
export class Asynq {
  readonly program: string;
  readonly #redis: readonly string[];

  private constructor(program: string, redis: RedisServer) {
    this.program = program;
    this.#redis = ['-redis', `127.0.0.1:${redis.port}`];
  }

  static async on(redis: RedisServer): Promise<Asynq> {
    return new Asynq(await asynqBinary('asynq'), redis);
  }

  /** Ends with this process. `output()` has a JSON line for each run that started or ended. */
  worker(...flags: string[]): ServerProcess {
    return startServer(this.program, ['worker', ...this.#redis, ...flags]);
  }

  scheduler(...flags: string[]): ServerProcess {
    return startServer(this.program, ['scheduler', ...this.#redis, ...flags]);
  }

  /** @returns for each task its id, or why it was not taken */
  async enqueue(...wishes: Wish[]): Promise<{ id?: string; error?: string }[]> {
    const child = spawn(this.program, ['enqueue', ...this.#redis], { stdio: ['pipe', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.stdin.end(wishes.map((wish) => JSON.stringify({ payload: {}, ...wish })).join('\n'));
    const [code] = await once(child, 'close');
    if (code !== 0) throw new Error(`enqueue ended with ${code}`);
    return output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  }

  /** asynq's own collector for Prometheus. `scrape` gives the names of what it tells. */
  exporter(...flags: string[]): { scrape(): Promise<string[]>; stop(): void } {
    const child = spawn(this.program, ['exporter', ...this.#redis, ...flags], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: child.stdout });
    return {
      async scrape() {
        const told = once(lines, 'line');
        child.stdin.write('\n');
        return JSON.parse(String((await told)[0])).families;
      },
      stop: () => void child.kill(),
    };
  }

  /** What asynq's Inspector says, after what the flags ask it to do. */
  inspect(...flags: string[]): Promise<Inspected> {
    return new Promise((fulfil, reject) => {
      execFile(this.program, ['inspect', ...this.#redis, ...flags], (error, stdout, stderr) => {
        if (error) reject(new Error(`inspect: ${stderr || error.message}`));
        else fulfil(JSON.parse(stdout));
      });
    });
  }
}
