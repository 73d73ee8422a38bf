import { constants } from 'node:os';
import type { RunReference } from '../../model/alert.ts';
import { fingerprint } from '../../rules/fingerprint.ts';
import type { End, RecordedRun, Recording, Resources } from './layout.ts';

/** How a process died; docs/crashes.md says how each is told. */
export type Cause =
  | 'oom_kill'
  | 'heap_limit'
  | 'killed'
  | 'exception'
  | 'exit'
  | 'signal'
  | 'terminated'
  | 'unknown';

/** What the one who started a process has seen of its end. */
export interface SeenEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly oomKilled: boolean;
  /** ms since the Unix epoch. */
  readonly at: number;
}

/** A death with handler runs in flight. */
export interface Crash {
  /** 12 hex digits, of no other process. */
  readonly id: string;
  readonly service: string;
  readonly host: string;
  readonly pid: number;
  readonly startedAt: number;
  /** ms since the Unix epoch: of the death where it was seen, else of the last recording, at most a second before. */
  readonly at: number;
  readonly cause: Cause;
  /** In words: "was killed by SIGKILL". */
  readonly how: string;
  readonly resources: Resources;
  /** The one that held the main thread first, where it is known, then the oldest. */
  readonly runs: readonly LostRun[];
  /** Runs that there was no room for. */
  readonly more: number;
}

export interface LostRun extends RecordedRun {
  /** ms, at the death. */
  readonly ageMs: number;
  /** `exclusive`: it held the main thread at the end, or no other task was in flight. */
  readonly suspicion: 'exclusive' | 'shared';
}

/** Share of the old generation's limit that the heap has reached when V8 gives up; the figure may be a second old. */
const NEAR_LIMIT = 0.8;
const { SIGABRT, SIGKILL } = constants.signals;

export interface Beside {
  readonly seen?: SeenEnd | undefined;
  /** Kills for want of memory in the process's control group as of now. */
  readonly oomKills?: number;
}

/** What a dead process's last recording says, and what else is known of its end. */
export function crashOf(recording: Recording, { seen, oomKills = Number.NaN }: Beside = {}): Crash {
  const { identity, resources, more } = recording;
  const { host, boot, pidNamespace, pid, start, service, startedAt } = identity;
  // Runs may have begun after the last recording: the main thread writes some itself.
  const at = seen?.at ?? Math.max(resources.at, ...recording.runs.map(({ startedAt }) => startedAt));
  const wasOom = seen?.oomKilled ?? oomKills > resources.oomKills;
  const tasks = new Set(recording.runs.map(({ task }) => JSON.stringify(task)));
  const runs = recording.runs.map((run, index): LostRun => {
    const isSuspect =
      recording.holder === undefined ? tasks.size === 1 && more === 0 : index === recording.holder;
    return { ...run, ageMs: Math.max(0, at - run.startedAt), suspicion: isSuspect ? 'exclusive' : 'shared' };
  });
  const rank = ({ suspicion }: LostRun): number => (suspicion === 'exclusive' ? 0 : 1);
  return {
    id: fingerprint({ host, boot, pidNamespace, pid: String(pid), start: String(start) }).slice(0, 12),
    service,
    host,
    pid,
    startedAt,
    at,
    ...judge(recording, seen, wasOom),
    resources,
    runs: runs.sort((a, b) => rank(a) - rank(b) || b.ageMs - a.ageMs),
    more,
  };
}

function judge(
  { end, stopSignal, resources }: Recording,
  seen: SeenEnd | undefined,
  wasOom: boolean,
): Pick<Crash, 'cause' | 'how'> {
  // A heap that fills at once is known by the process's memory alone: figures of the heap come from the thread that fills it.
  const isFull = resources.rss > NEAR_LIMIT * resources.heapLimit;
  const nearLimit = resources.heapUsed > NEAR_LIMIT * resources.heapLimit;
  const code = seen?.code ?? undefined;
  // A shell in between makes of a signal an exit code.
  const number =
    seen?.signal != null ? constants.signals[seen.signal] : (code ?? 0) > 128 ? code! - 128 : undefined;
  if (wasOom) return { cause: 'oom_kill', how: 'was killed by the kernel for want of memory' };
  if (stopSignal !== 0 && end?.kind === 'exit')
    return { cause: 'terminated', how: `ended with exit code ${end.code} after ${nameOf(stopSignal)}` };
  if (end !== undefined) return told(end);
  if (stopSignal !== 0)
    return { cause: 'terminated', how: `did not end in time after ${nameOf(stopSignal)}` };
  if (number === SIGABRT)
    return nearLimit || isFull
      ? { cause: 'heap_limit', how: 'was aborted by V8: its heap is full' }
      : { cause: 'signal', how: 'was aborted (SIGABRT), as V8 does when its heap is full' };
  if (number === SIGKILL) return { cause: 'killed', how: 'was killed by SIGKILL' };
  if (number !== undefined) return { cause: 'signal', how: `was killed by ${nameOf(number)}` };
  if (code !== undefined) return { cause: 'exit', how: `ended with exit code ${code}` };
  if (nearLimit) return { cause: 'heap_limit', how: 'died, with its heap almost full' };
  return { cause: 'unknown', how: 'died without a word, as by SIGKILL' };
}

function told({ kind, code }: End): Pick<Crash, 'cause' | 'how'> {
  if (kind === 'signal') return { cause: 'terminated', how: `was ended by ${nameOf(code)}` };
  if (kind === 'exception') return { cause: 'exception', how: 'ended by an uncaught exception' };
  return { cause: 'exit', how: `ended with exit code ${code}` };
}

export function nameOf(signal: number): string {
  return Object.entries(constants.signals).find(([, number]) => number === signal)?.[0] ?? `signal ${signal}`;
}

/** As an alert names it. */
export function referenceOf({ task, jobId, attempt, ageMs, traceId, spanId }: LostRun): RunReference {
  return { ...task, jobId, attempt, ageMs, traceId, spanId, active: false };
}
