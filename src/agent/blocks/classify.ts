/**
 * What keeps a loop from turning: JavaScript of a task, collections of garbage, a synchronous child process, other native code; or
 * nothing of the task's: the machine gives the thread no CPU, or a debugger has paused it.
 */
export type BlockClass = 'code' | 'gc' | 'child_process' | 'native' | 'host_starved' | 'debugger';

/** What a block has taken so far. */
export interface Spent {
  /** How long the loop has been blocked. */
  readonly lagMs: number;
  /** CPU time of the thread since then; undefined where it is not known. */
  readonly cpuMs: number | undefined;
  /** CPU time of the agent's own thread, which the other could have had. */
  readonly agentMs: number;
}

export interface BlockFacts extends Spent {
  /** Letter of the thread's state, see ThreadState. */
  readonly state: string | undefined;
  /** Whether the thread, when asked, answered in time. */
  readonly answered: boolean;
  /** Whether a debugger has paused it. */
  readonly paused: boolean;
  /** Whether it waits for a process that it has started since. */
  readonly hasChild: boolean;
  /** Share of the old generation's limit that is in use; undefined where it is not known. */
  readonly heapShare: number | undefined;
  /** Share of the last moments that collections took; undefined where it is not known. */
  readonly gcShare: number | undefined;
}

/**
 * A thread that wants to run and got less than this share of the time is starved, not busy. A CPU quota of a tenth leaves a busy one more
 * than that: the kernel gives each CPU half of it at a time, and the agent's may hold the other half.
 */
const STARVED_SHARE = 0.03;
/** From this share of the heap's limit on, V8 does little but collect. */
const HEAP_FULL = 0.95;
/** Share of a block, or of a part of it, that collections must have taken to be its cause. */
const GC_SHARE = 0.5;

export function classify(facts: BlockFacts): BlockClass {
  const { state, answered } = facts;
  if (facts.paused || state === 't' || state === 'T') return 'debugger';
  if (isStarved(facts)) return 'host_starved';
  if ((facts.heapShare ?? 0) >= HEAP_FULL || (facts.gcShare ?? 0) >= GC_SHARE) return 'gc';
  if (answered) return 'code';
  return facts.hasChild ? 'child_process' : 'native';
}

function isStarved({ state, cpuMs, agentMs, lagMs }: BlockFacts): boolean {
  return state === 'R' && cpuMs !== undefined && cpuMs + agentMs < STARVED_SHARE * lagMs;
}

/** A block of these classes is no fault of a task, and no alert says so. */
export function isExcused(kind: BlockClass | undefined): kind is 'host_starved' | 'debugger' {
  return kind === 'host_starved' || kind === 'debugger';
}

/** The class of a block that is over, when it is known how long collections took. */
export function classifyEnded(kind: BlockClass, durationMs: number, gcMs: number): BlockClass {
  return gcMs >= GC_SHARE * durationMs ? 'gc' : kind;
}
