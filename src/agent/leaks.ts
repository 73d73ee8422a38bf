import { GrowthEstimator, type LeakFinding } from '../attribution/growth.ts';
import { type LeakKind, leakLimits } from '../attribution/leak-limits.ts';
import type { HeapObservation } from '../attribution/sample-window.ts';
import type { TaskKey } from '../bridge/protocol.ts';
import { type Labels, labelsKey } from '../model/labels.ts';
import type { Registry } from '../store/registry.ts';
import { taskAttributes } from './ingest.ts';

type MemoryKind = Exclude<LeakKind, 'descriptors'>;
const STATES = ['none', 'suspected', 'confirmed', 'growth_unattributed'] as const;
/** Names in `leak.group`. */
const MAX_GROUP = 5;

/** What one kind of memory tells of the tasks: `task.memory.leak` and `taskwarden.memory.leak.state`. */
export class Leaks {
  readonly estimator: GrowthEstimator;
  readonly #kind: MemoryKind;
  readonly #registry: Registry;
  #told = new Map<string, Labels>();

  /** @param cacheMib what caches of the worker may fill */
  constructor(kind: MemoryKind, registry: Registry, cacheMib?: number) {
    this.#kind = kind;
    this.#registry = registry;
    this.estimator = new GrowthEstimator(leakLimits(kind, cacheMib));
  }

  /** @param tasks by their key */
  observe(observation: HeapObservation, tasks: ReadonlyMap<string, TaskKey>): void {
    this.estimator.observe(observation);
    const findings = this.estimator.findings();
    const told = new Map<string, Labels>();
    for (const [key, finding] of findings) {
      const task = tasks.get(key);
      if (task === undefined) continue;
      const attributes = this.#attributes(task, finding, tasks);
      told.set(labelsKey(attributes), attributes);
      this.#registry.set('task.memory.leak', attributes, finding.perRun);
    }
    for (const [key, attributes] of this.#told)
      if (!told.has(key)) this.#registry.remove('task.memory.leak', attributes);
    this.#told = told;
    if (this.estimator.hasLooked) this.#tellState([...findings.values()]);
  }

  /** Memory is known not to grow. */
  flat(): void {
    if (!this.tells) this.#tellState([]);
  }

  /** Whether a task is named. */
  get tells(): boolean {
    return this.#told.size > 0;
  }

  #attributes(task: TaskKey, { state, group }: LeakFinding, tasks: ReadonlyMap<string, TaskKey>): Labels {
    const names = [...new Set(group.map((key) => tasks.get(key)?.task ?? 'other'))].sort();
    const more = names.length > MAX_GROUP ? [`+${names.length - MAX_GROUP}`] : [];
    return {
      ...taskAttributes(task),
      'memory.kind': this.#kind,
      'leak.state': state,
      ...(names.length > 0 && { 'leak.group': [...names.slice(0, MAX_GROUP), ...more].join(', ') }),
    };
  }

  #tellState(findings: readonly LeakFinding[]): void {
    const has = (state: LeakFinding['state']): boolean => findings.some((one) => one.state === state);
    const unattributed = this.estimator.unattributed() === undefined ? 'none' : 'growth_unattributed';
    const present = has('confirmed') ? 'confirmed' : has('suspected') ? 'suspected' : unattributed;
    for (const state of STATES) {
      const attributes = { 'memory.kind': this.#kind, 'leak.state': state };
      this.#registry.set('taskwarden.memory.leak.state', attributes, state === present ? 1 : 0);
    }
  }
}
