import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Counts, Kind, Question } from '../fixtures/network/counting-servers.ts';

export type { Counts, Kind } from '../fixtures/network/counting-servers.ts';

/** Servers in another process that count requests and bytes, see the fixture. One question at a time. */
export interface CountingServers {
  /** @returns the port, on 127.0.0.1 */
  open(kind: Kind): Promise<number>;
  /** Counts what passes on the way to another port, which it hands on. @returns the port of the way */
  relay(to: number): Promise<number>;
  counts(port: number): Promise<Counts>;
  stop(): Promise<void>;
}

export function startCountingServers(): CountingServers {
  const child: ChildProcess = fork(join(import.meta.dirname, '../fixtures/network/counting-servers.ts'));
  const ended = once(child, 'exit');
  let last: Promise<unknown> = Promise.resolve();
  const ask = <T>(question: Question): Promise<T> => {
    const answer = last.then(async () => {
      child.send(question);
      const [value] = await once(child, 'message');
      return value as T;
    });
    last = answer;
    return answer;
  };
  return {
    open: (kind) => ask<number>({ open: kind }),
    relay: (to) => ask<number>({ relay: to }),
    counts: (port) => ask<Counts>({ counts: port }),
    async stop() {
      child.disconnect();
      await ended;
    },
  };
}
