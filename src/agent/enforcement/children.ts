import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Inbox } from '../../bridge/inbox.ts';
import { I32 } from '../../bridge/protocol.ts';
import { fieldsAfterName } from '../../host/files.ts';
import type { Action } from '../actions.ts';
import type { MainThread } from '../blocks/main-thread.ts';
import { done, failed, GONE, isResult, refused, targetOf } from './result.ts';

/** A thread that runs JavaScript, or waits in it, answers within this time, ms: it does not wait for a child then. */
const ANSWER_MS = 300;
/** Time between SIGTERM and SIGKILL, and for the loop to go on after that, ms. */
const GRACE_MS = 1000;
const LOOK_MS = 20;
const MAX_PROCESSES = 100;
/** How exactly the kernel tells when a process began, ms. */
const TICK_MS = 10;

export interface ChildActionOptions {
  readonly inbox: Inbox;
  readonly main: Pick<MainThread, 'post'>;
  /** Where processes are read, and how they are told to end; for tests. */
  readonly proc?: string;
  readonly kill?: (pid: number, signal: NodeJS.Signals) => void;
}

/** A process, told apart from a later one that has its number. */
interface Process {
  readonly pid: number;
  /** Ticks of 10 ms since the start of the machine. */
  readonly start: number;
  readonly command: string;
}

/**
 * `kill-child`: ends the process that `spawnSync` and its like wait for, with what it has started. It is the youngest child of the
 * main thread, as a thread that waits starts no other, and is younger than the block.
 */
export function killChild({ inbox, main, proc = '/proc', kill = process.kill }: ChildActionOptions): Action {
  const found = (): Process | undefined => {
    const pids = numbers(`${proc}/self/task/${process.pid}/children`);
    const child = pids.length === 0 ? undefined : processOf(proc, pids.at(-1)!);
    const uptimeMs = Number.parseFloat(read(`${proc}/uptime`) ?? '') * 1000;
    const isYounger = child !== undefined && uptimeMs - child.start * TICK_MS <= inbox.lagMs() + TICK_MS;
    return isYounger ? child : undefined;
  };
  return {
    plan: () => {
      const child = found();
      return child === undefined
        ? 'no child would have been ended'
        : `${child.command} would have been ended`;
    },
    run: async (transition) => {
      const target = targetOf(transition);
      if (isResult(target)) return target;
      const beat = Atomics.load(inbox.shared.i32, I32.beat);
      const isBlocked = (): boolean => Atomics.load(inbox.shared.i32, I32.beat) === beat;
      const answered = await main.post('Runtime.evaluate', { expression: '0' }, ANSWER_MS);
      const { slot, generation } = target.place;
      if (inbox.slot(slot)?.generation !== generation) return GONE;
      if (answered !== undefined || !isBlocked()) return refused('the main thread waits for no child');
      const child = found();
      if (child === undefined)
        return refused('the main thread has started no child since it has been blocked');
      const all = [child, ...descendants(proc, child.pid)];
      for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
        for (const each of all) if (isSame(proc, each)) attempt(() => kill(each.pid, signal));
        if (await until(() => !isBlocked(), GRACE_MS))
          return done(`${child.command} (process ${child.pid}) was ended by ${signal}, and the loop goes on`);
      }
      return failed(`${child.command} (process ${child.pid}) was ended, but the loop is still blocked`);
    },
  };
}

function descendants(proc: string, of: number): Process[] {
  const found: Process[] = [];
  const pids = [of];
  for (const pid of pids) {
    if (found.length >= MAX_PROCESSES) break;
    for (const child of numbers(`${proc}/${pid}/task/${pid}/children`)) {
      const known = processOf(proc, child);
      if (known === undefined) continue;
      found.push(known);
      pids.push(child);
    }
  }
  return found;
}

/** A zombie has no command line, and needs no end. */
function processOf(proc: string, pid: number): Process | undefined {
  const stat = read(`${proc}/${pid}/stat`);
  const line = read(`${proc}/${pid}/cmdline`);
  if (stat === undefined || line === undefined || line === '') return undefined;
  // Field 22, counted from the state, which is field 3.
  const start = Number(fieldsAfterName(stat)[19]);
  // Arguments may hold what is nobody's business.
  return { pid, start, command: basename(line.split('\0')[0]!).slice(0, 100) };
}

function isSame(proc: string, { pid, start }: Process): boolean {
  return processOf(proc, pid)?.start === start;
}

async function until(isTrue: () => boolean, ms: number): Promise<boolean> {
  const end = performance.now() + ms;
  while (!isTrue()) {
    if (performance.now() > end) return false;
    await sleep(LOOK_MS);
  }
  return true;
}

function numbers(path: string): number[] {
  return (read(path) ?? '').split(' ').filter(Boolean).map(Number);
}

function read(path: string): string | undefined {
  return attempt(() => readFileSync(path, 'latin1'));
}

function attempt<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}
