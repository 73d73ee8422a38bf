import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** What a fixture writes to stdout, one JSON object a line; `event` says which. */
export interface Report {
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface Child {
  readonly process: ChildProcess;
  /** Reports so far. */
  readonly reports: readonly Report[];
  /** The first report of that event, come or to come. @throws Error when the process ends without. */
  report(event: string): Promise<Report>;
  /** Ms since the epoch when the process had exited. @throws Error on an exit code other than 0, or after the time limit. */
  exited(): Promise<number>;
  /** Ends it, if need be by SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
}

export interface ChildOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly nodeArgs?: readonly string[];
  /** Killed after that many ms. */
  readonly limitMs?: number;
}

/** Ms since the epoch, with a fraction. */
export const now = () => performance.timeOrigin + performance.now();

/** Starts a fixture of bench/workers with an environment of its own: only PATH and HOME are inherited. */
export function startFixture(name: string, options: ChildOptions = {}): Child {
  const { env = {}, nodeArgs = [], limitMs = 180_000 } = options;
  const script = fileURLToPath(new URL(`../workers/${name}`, import.meta.url));
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(process.execPath, [...nodeArgs, script], {
    env: { PATH, HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const reports: Report[] = [];
  const waiting = new Set<() => void>();
  let rest = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop()!;
    for (const line of lines) if (line.startsWith('{')) reports.push(JSON.parse(line));
    for (const wake of waiting) wake();
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    errors = (errors + chunk).slice(-4000);
    process.stderr.write(`${name}: ${chunk}`); // a fault that the preload reports explains the figures
  });
  let exitedAt = Number.NaN;
  child.once('exit', () => {
    exitedAt = now();
  });
  const closed = once(child, 'close').then(() => {
    process.removeListener('exit', killNow);
    clearTimeout(limit);
    for (const wake of waiting) wake();
  });
  const killNow = () => child.kill('SIGKILL');
  const limit = setTimeout(killNow, limitMs);
  // A bench that is interrupted must not leave workers behind.
  process.once('exit', killNow);

  const ended = () => child.exitCode !== null || child.signalCode !== null;
  const failure = (what: string) =>
    new Error(`${name}: ${what} (exit code ${child.exitCode}, signal ${child.signalCode})\n${errors}`);
  return {
    process: child,
    reports,
    async report(event) {
      for (;;) {
        const found = reports.find((report) => report.event === event);
        if (found !== undefined) return found;
        if (ended() && child.stdout.closed) throw failure(`ended without reporting "${event}"`);
        const { promise, resolve } = Promise.withResolvers<void>();
        waiting.add(resolve);
        await promise;
        waiting.delete(resolve);
      }
    },
    async exited() {
      await closed;
      if (child.exitCode !== 0) throw failure('failed');
      return exitedAt;
    },
    async kill() {
      child.kill('SIGKILL');
      await closed;
    },
  };
}
