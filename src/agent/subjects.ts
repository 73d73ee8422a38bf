import { METRICS, type MetricName } from '../model/metrics.ts';
import { prometheusName } from '../model/prometheus-name.ts';
import type { Matcher } from '../model/queryable.ts';
import type { Expression } from '../promql/promql.ts';
import type { Rule, RuleGroup } from '../rules/rule.ts';
import type { Subject } from './notable-runs.ts';

type Selector = readonly Matcher[];

/** What an alert about a metric is about; other metrics say nothing of single runs. */
const SUBJECTS: { readonly [name in MetricName]?: Subject | ((selector: Selector) => Subject) } = {
  'task.runs': (selector) => (asksFor(selector, 'task_outcome', 'failure', 'success') ? 'failed' : 'latest'),
  'task.retries': 'retried',
  'task.wait.duration': (selector) => (asksFor(selector, 'task_retry', 'true', 'false') ? 'retried' : 'wait'),
  'task.duplicates': 'duplicate',
  'messaging.process.duration': 'duration',
  'task.cpu.time': 'cpu',
  'task.cpu.samples': 'cpu',
  'task.event_loop.block.duration': 'block',
  'task.event_loop.blocked': 'block',
  'task.payload.size': 'payload',
  'task.payload.growth': 'payload',
  'task.payload.growth.lower': 'payload',
  'task.payload.outliers': 'payload',
  'task.network.requests': 'requests',
  'task.network.io': direction,
  'task.dependency.requests': (selector) =>
    asksFor(selector, 'task_dependency_outcome', 'error', 'success') ? 'failed_requests' : 'requests',
  'task.dependency.time': 'duration',
  'task.dependency.io': direction,
  'task.handles.open': 'handles',
};

const BY_NAME = new Map(
  Object.entries(SUBJECTS).flatMap(([name, subject]) => {
    const { unit, kind } = METRICS[name as MetricName];
    const full = prometheusName(name, unit, kind);
    return ['', '_bucket', '_sum', '_count'].map((suffix) => [full + suffix, subject] as const);
  }),
);

/** Recordings of recordings are followed that deep. */
const MAX_DEPTH = 10;

/** What alerts are about, by the expressions of their rules. */
export class Subjects {
  readonly #recorded: ReadonlyMap<string, Expression>;

  constructor(groups: readonly RuleGroup[]) {
    const rules = groups.flatMap((group) => group.rules);
    this.#recorded = new Map(
      rules.flatMap(({ kind, name, expression }) =>
        kind === 'record' ? [[name, expression as Expression]] : [],
      ),
    );
  }

  of(rule: Rule): Subject {
    return this.#first(rule.expression as Expression, 0) ?? 'latest';
  }

  /** By the first metric of the expression, for which a recording has that of its own, and one that is a number none. */
  #first(expression: Expression, depth: number): Subject | undefined {
    if (depth > MAX_DEPTH) return undefined;
    for (const selector of expression.selectors()) {
      const name = selector.find((matcher) => matcher.name === '__name__' && matcher.type === '=')?.value;
      const recorded = this.#recorded.get(name ?? '');
      const found = recorded === undefined ? subjectOf(name, selector) : this.#first(recorded, depth + 1);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

function subjectOf(name: string | undefined, selector: Selector): Subject {
  const fails = selector.some((matcher) => matcher.name === 'error_type' && !matcher.matches(''));
  if (fails) return 'failed';
  const subject = BY_NAME.get(name ?? '') ?? 'latest';
  return typeof subject === 'string' ? subject : subject(selector);
}

/** Whether one value of a label is asked for and another is not. */
function asksFor(selector: Selector, label: string, value: string, other: string): boolean {
  const matchers = selector.filter(({ name }) => name === label);
  const has = (text: string): boolean => matchers.every((matcher) => matcher.matches(text));
  return has(value) && !has(other);
}

function direction(selector: Selector): Subject {
  return asksFor(selector, 'network_io_direction', 'transmit', 'receive') ? 'sent' : 'received';
}
