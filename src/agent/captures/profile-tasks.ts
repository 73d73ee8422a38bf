/** The part of a .cpuprofile that is read here (source: the DevTools protocol, Profiler.Profile). Times in µs. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      /** Both count from 0. */
      readonly lineNumber: number;
      readonly columnNumber: number;
    };
  }[];
  /** µs of the monotonic clock. */
  readonly startTime: number;
  readonly endTime: number;
  readonly samples?: readonly number[];
  readonly timeDeltas?: readonly number[];
}

/** Whose turn it was from a moment on: `task` as it is to be named; ms of the monotonic clock. */
export interface Turn {
  readonly atMs: number;
  readonly task: string;
}

/** How the time of a profile falls to tasks, the largest part first. */
export interface TaskShare {
  readonly task: string;
  readonly samples: number;
  /** Of the time in which the thread was busy. */
  readonly share: number;
  /** Where it was most often, `function file:line`. */
  readonly top: readonly { readonly at: string; readonly samples: number }[];
}

export const NO_TASK = '(no task)';
const MAX_TOP = 5;
/** Nodes in which the thread does nothing. */
const IDLE = new Set(['(idle)', '(program)', '(root)']);

/** @param place translates a place, counted from 1, into that of its source */
export function tasksOf(
  profile: CpuProfile,
  turns: readonly Turn[],
  place: (url: string, line: number, column: number) => string,
): TaskShare[] {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node.callFrame]));
  const found = new Map<string, { samples: number; at: Map<number, number> }>();
  let busy = 0;
  let time = profile.startTime;
  let turn = 0;
  for (const [n, id] of (profile.samples ?? []).entries()) {
    time += profile.timeDeltas?.[n] ?? 0;
    while ((turns[turn + 1]?.atMs ?? Number.POSITIVE_INFINITY) * 1000 <= time) turn++;
    if (IDLE.has(nodes.get(id)?.functionName ?? '')) continue;
    busy++;
    const task = turns[turn]?.task ?? NO_TASK;
    const entry = found.get(task) ?? { samples: 0, at: new Map<number, number>() };
    found.set(task, entry);
    entry.samples++;
    entry.at.set(id, (entry.at.get(id) ?? 0) + 1);
  }
  const name = (id: number): string => {
    const frame = nodes.get(id);
    if (frame === undefined) return '(unknown)';
    const { functionName, url, lineNumber, columnNumber } = frame;
    const where = url === '' ? '' : ` ${place(url, lineNumber + 1, columnNumber + 1)}`;
    return `${functionName || '(anonymous)'}${where}`;
  };
  return [...found]
    .sort(([, a], [, b]) => b.samples - a.samples)
    .map(([task, { samples, at }]) => ({
      task,
      samples,
      share: samples / busy,
      top: [...at]
        .sort(([, a], [, b]) => b - a)
        .slice(0, MAX_TOP)
        .map(([id, count]) => ({ at: name(id), samples: count })),
    }));
}
