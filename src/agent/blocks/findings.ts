import type { AlertFindings, AlertTransition } from '../../model/alert.ts';
import type { Block } from '../watchdog.ts';

/** The metric that an expression must speak of for its alert to be about blocks. */
const METRIC = 'task_event_loop_blocked';
/** Alerts that are remembered while they fire. */
const MAX_ALERTS = 1000;

type BlockFinding = NonNullable<AlertFindings['block']>;

/** What was found out about alerts while they fire, so that their end can tell it too. */
export class Findings {
  readonly #present = new Set<Block>();
  readonly #firing = new Map<string, { findings: AlertFindings; task: string | undefined }>();

  /** A loop is blocked, and stays so until {@link ended}. */
  began(block: Block): void {
    const isNew = !this.#present.has(block);
    this.#present.add(block);
    // While an alert fires on, each further block counts.
    if (isNew) this.#count(block, 1);
  }

  ended(block: Block): void {
    this.#present.delete(block);
    this.#count(block, 0);
  }

  /** An alert that begins to fire, with the block that it is about. */
  look(transition: AlertTransition): AlertTransition {
    if (transition.state !== 'firing' || !isAboutBlocks(transition)) return transition;
    const block = this.#blockFor(transition.labels.task_name);
    return block === undefined ? transition : { ...transition, findings: { block: findingOf(block, 1) } };
  }

  /** The change with what is known about it. @param evidence files that are being written about it */
  attach(transition: AlertTransition, evidence: readonly string[] = []): AlertTransition {
    const { fingerprint, state, previousState } = transition;
    if (state === 'pending') return transition;
    const known = this.#firing.get(fingerprint);
    if (state === 'resolved') {
      this.#firing.delete(fingerprint);
      return known === undefined ? transition : { ...transition, findings: known.findings };
    }
    if (previousState === 'firing') return transition;
    const { findings: { block } = {} } = this.look(transition);
    if (block === undefined && evidence.length === 0) return transition;
    const findings: AlertFindings = {
      ...(block !== undefined && { block }),
      ...(evidence.length > 0 && { evidence }),
    };
    this.#firing.set(fingerprint, { findings, task: transition.labels.task_name });
    if (this.#firing.size > MAX_ALERTS) this.#firing.delete([...this.#firing.keys()][0]!);
    return { ...transition, findings };
  }

  #blockFor(task: string | undefined): Block | undefined {
    return [...this.#present].find((block) => concerns(block, task));
  }

  #count(block: Block, one: 0 | 1): void {
    for (const known of this.#firing.values()) {
      const { block: before } = known.findings;
      if (before === undefined || !concerns(block, known.task)) continue;
      const count = before.count + one;
      const longer = block.durationMs >= before.durationMs;
      const stack = block.stack === '' ? before.stack : block.stack;
      const found = longer ? { ...findingOf(block, count), stack } : { ...before, count };
      known.findings = { ...known.findings, block: found };
    }
  }
}

function isAboutBlocks({ expr }: AlertTransition): boolean {
  return expr.includes(METRIC);
}

function concerns(block: Block, task: string | undefined): boolean {
  return task === undefined || block.tasks.some((suspect) => suspect.task === task);
}

function findingOf({ kind, stack, durationMs, cpuMs }: Block, count: number): BlockFinding {
  return { kind, stack, durationMs, cpuMs, count };
}
