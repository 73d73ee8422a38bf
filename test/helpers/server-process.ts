import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** A server of another make that a test starts and stops. */
export interface ServerProcess {
  readonly pid: number;
  /** Everything it has written so far, both streams. */
  output(): string;
  /** Fulfils when `ready` holds; rejects when the process ends first or `limitMs` have passed. */
  until(
    what: string,
    ready: () => boolean | Promise<boolean>,
    limitMs?: number,
    everyMs?: number,
  ): Promise<void>;
  /** Fulfils when it has ended by SIGTERM, or by what is given. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export function startServer(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): ServerProcess {
  const child: ChildProcess = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let failure: Error | undefined;
  const keep = (chunk: Buffer) => {
    output += chunk;
  };
  child.stdout!.on('data', keep);
  child.stderr!.on('data', keep);
  child.on('error', (error) => {
    failure = error;
  });
  const ended = () => failure !== undefined || child.exitCode !== null || child.signalCode !== null;
  // A test that fails half-way must not leave the server behind.
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  return {
    pid: child.pid ?? -1,
    output: () => output,
    async until(what, ready, limitMs = 30_000, everyMs = 50) {
      const deadline = Date.now() + limitMs;
      while (!(await ready())) {
        const why = ended() ? 'ended before' : Date.now() > deadline ? `not within ${limitMs} ms` : undefined;
        if (why !== undefined)
          throw new Error(`${program}: ${what}: ${why}\n${failure?.message ?? output.slice(-4000)}`);
        await new Promise((later) => setTimeout(later, everyMs));
      }
    },
    async stop(signal = 'SIGTERM') {
      process.removeListener('exit', kill);
      if (ended()) return;
      const closed = once(child, 'close');
      child.kill(signal);
      await closed;
    },
  };
}

/** True when the URL answers with a 2xx. */
export async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url);
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}
