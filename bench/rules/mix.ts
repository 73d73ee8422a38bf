import { stringify } from 'yaml';
import { COUNTERS, GAUGES, HISTOGRAM } from './series.ts';

/**
 * 200 rules in the shares of 1,188 public ones (awesome-prometheus-alerts and kube-prometheus, counted in November 2026): of 1,188,
 * 805 compare by `>`, 290 divide, 289 have `and`, 333 sum, 323 take a rate, 102 an increase, 46 a
 * histogram_quantile, 97 match `on`, 41 with `group_left`; 95 record, and nearly every alert has `for`.
 */
export const RULES = 200;

/** A shape of rule, how often it comes, and its expression by number: `i` picks metrics and thresholds. */
interface Shape {
  readonly times: number;
  readonly record?: true;
  readonly expr: (i: number, window: (seconds: number) => string) => string;
}

const BY_QUEUE = 'by (job, instance, messaging_destination_name)';
const BY_TASK = 'by (job, instance, messaging_destination_name, task_name)';
const ON_TASK = 'on (job, instance, messaging_destination_name, task_name)';
const MEMORY = 'task_memory_bytes';
const LIMIT = 'task_memory_limit_bytes';
const LAST = 'task_last_success_timestamp_seconds';

const counter = (i: number) => COUNTERS[i % COUNTERS.length]!;
const gauge = (i: number) => GAUGES[i % (GAUGES.length - 1)]!;
/** Windows of a minute to a quarter of an hour: most are of five minutes. */
const seconds = (i: number) => [300, 300, 60, 300, 600, 120, 300, 900][i % 8]!;
/** A threshold that hardly any series is above. */
const high = (i: number) => 5500 + i;

const SHAPES: readonly Shape[] = [
  { times: 10, expr: (i) => `${gauge(i)} > ${i % 5 === 0 ? 5020 : high(i)}` },
  { times: 14, expr: (i) => `${gauge(i)}{messaging_system="bullmq"} == ${i}` },
  { times: 10, expr: (i) => `${gauge(i)} == ${i} and ${gauge(i + 1)} == ${i}` },
  { times: 10, expr: (i) => `${gauge(i)}{task_name!~"task-1.*"} < ${50 - i}` },
  { times: 14, expr: (i) => `${MEMORY} / ${gauge(i + 2)} * 100 > ${high(i)}` },
  { times: 16, expr: (i) => `${gauge(i)} / ${LIMIT} * 100 > ${high(i)} and ${LIMIT} > ${i}` },
  { times: 6, expr: (i) => `(${LIMIT} - ${gauge(i)}) / ${LIMIT} * 100 < -${high(i)}` },
  { times: 4, expr: (i, w) => `rate(${counter(i)}[${w(seconds(i))}]) > ${i === 3 ? 3.9 : high(i)}` },
  { times: 12, expr: (i, w) => `increase(${counter(i)}[${w(seconds(i))}]) > ${high(i)}` },
  {
    times: 4,
    expr: (i, w) =>
      `increase(${counter(i)}{task_name=~"task-.*"}[${w(60)}]) > ${high(i)} and task_active != 0`,
  },
  {
    times: 8,
    expr: (i, w) => `sum ${BY_QUEUE} (rate(${counter(i)}[${w(seconds(i))}])) > ${high(i)}`,
  },
  {
    times: 5,
    expr: (i, w) =>
      `sum ${BY_QUEUE} (rate(${counter(i)}[${w(300)}])) / sum ${BY_QUEUE} (rate(task_runs_total[${w(300)}])) > ${high(i)}`,
  },
  {
    times: 3,
    expr: (i, w) =>
      `sum ${BY_TASK} (rate(${counter(i)}[${w(seconds(i))}])) / ${ON_TASK} sum ${BY_TASK} (rate(task_runs_total[${w(seconds(i))}])) ` +
      `> ${high(i)} and ${ON_TASK} sum ${BY_TASK} (task_active) >= 1`,
  },
  {
    times: 6,
    expr: (i, w) =>
      `histogram_quantile(0.9${i}, sum by (le, messaging_destination_name) (rate(${HISTOGRAM}_bucket[${w(seconds(i))}]))) > ${high(i)}`,
  },
  {
    times: 2,
    expr: (i, w) =>
      `histogram_quantile(0.5, rate(${HISTOGRAM}_bucket{task_name=~"task-.*[05]"}[${w(seconds(i))}])) > ${high(i)} ` +
      `and ${ON_TASK} rate(${HISTOGRAM}_count[${w(seconds(i))}]) > 1`,
  },
  { times: 8, expr: (i) => `max ${BY_QUEUE} (${gauge(i)}) > ${high(i)}` },
  { times: 3, expr: (i) => `min ${BY_QUEUE} (${gauge(i)}) > ${high(i)}` },
  {
    times: 3,
    expr: (i) => `avg ${BY_QUEUE} (${gauge(i)}) > ${high(i)} and count ${BY_QUEUE} (task_active) > 2`,
  },
  { times: 3, expr: (i) => `count ${BY_QUEUE} (${gauge(i)} > ${i * 100}) <= 0` },
  { times: 5, expr: (i) => `time() - ${LAST} > ${high(i)} and task_active > ${i}` },
  { times: 4, expr: (i, w) => `changes(${gauge(i)}[${w(seconds(i))}]) > ${high(i)}` },
  { times: 3, expr: (i, w) => `max_over_time(${gauge(i)}[${w(seconds(i))}]) > ${high(i)}` },
  { times: 2, expr: (i, w) => `min_over_time(${gauge(i)}[${w(seconds(i))}]) > ${high(i)}` },
  { times: 2, expr: (i, w) => `avg_over_time(${gauge(i)}[${w(seconds(i))}]) > ${high(i)}` },
  { times: 2, expr: (i, w) => `deriv(${gauge(i)}[${w(seconds(i))}]) > ${high(i)}` },
  { times: 2, expr: (i, w) => `delta(${gauge(i)}[${w(seconds(i))}]) > ${high(i)}` },
  {
    times: 2,
    expr: (i, w) => `predict_linear(${MEMORY}[${w(seconds(i) + 300)}], 3600) / ${LIMIT} > ${high(i)}`,
  },
  { times: 3, expr: (i) => `absent(${counter(i)}{job="bench", messaging_destination_name="queue-${i}"})` },
  {
    times: 5,
    expr: (i) =>
      `${gauge(i)} > on (job, instance, messaging_destination_name) group_left () max ${BY_QUEUE} (${gauge(i + 1)}) * 100`,
  },
  {
    times: 2,
    expr: (i, w) =>
      `rate(${counter(i)}[${w(300)}]) * on (job, instance, messaging_destination_name) group_left () ` +
      `sum ${BY_QUEUE} (task_active) > ${high(i)}000`,
  },
  { times: 2, expr: (i, w) => `topk(3, sum ${BY_TASK} (rate(${counter(i)}[${w(300)}]))) > ${high(i)}` },
  { times: 2, expr: (i) => `(${gauge(i)} > ${high(i)} or ${gauge(i + 1)} > ${high(i)}) + 0 > ${high(i)}` },
  { times: 1, expr: (i) => `(${gauge(i)} > ${high(i)} or vector(0)) + vector(1) > ${high(i)}` },
  { times: 2, expr: (i) => `${gauge(i)} > ${high(i)} unless ${ON_TASK} task_active > ${high(i)}` },
  {
    times: 2,
    expr: (i) =>
      `label_replace(${gauge(i)}, "queue", "$1", "messaging_destination_name", "queue-(.*)") > ${high(i)}`,
  },
  {
    times: 2,
    expr: (i, w) => `rate(${counter(i)}[${w(300)}]) > 100 * rate(${counter(i)}[${w(300)}] offset ${w(120)})`,
  },
  {
    times: 6,
    record: true,
    expr: (i, w) => `sum ${BY_QUEUE} (rate(${counter(i)}[${w(seconds(i))}]))`,
  },
  {
    times: 4,
    record: true,
    expr: (i, w) => `sum by (le, messaging_destination_name) (rate(${HISTOGRAM}_bucket[${w(seconds(i))}]))`,
  },
  {
    times: 2,
    record: true,
    expr: (i, w) => `rate(${HISTOGRAM}_sum[${w(seconds(i))}]) / rate(${HISTOGRAM}_count[${w(seconds(i))}])`,
  },
  { times: 4, record: true, expr: (i) => `max ${BY_QUEUE} (${gauge(i)})` },
];

const RULES_PER_GROUP = 20;

/**
 * The rules as a Prometheus rule file, `copies` times {@link RULES}. Each further copy has windows and thresholds of its own: what
 * one computes over a window serves no other.
 */
export function ruleFile(copies = 1): string {
  const rules = Array.from({ length: copies }, (_, copy) => rulesOf(copy)).flat();
  const groups = Array.from({ length: Math.ceil(rules.length / RULES_PER_GROUP) }, (_, at) => ({
    name: `bench-${at}`,
    interval: '5s',
    rules: rules.slice(at * RULES_PER_GROUP, (at + 1) * RULES_PER_GROUP),
  }));
  return stringify({ groups });
}

function rulesOf(copy: number): object[] {
  const window = (length: number) => `${length - 5 * copy}s`;
  const rules: object[] = [];
  for (const [shape, { times, record, expr }] of SHAPES.entries()) {
    for (let i = 0; i < times; i++) {
      const text = copy === 0 ? expr(i, window) : expr(i, window).replace(/\b55(\d\d)\b/g, `${55 + copy}$1`);
      rules.push(
        record
          ? { record: `bench:rule_${copy}_${shape}_${i}`, expr: text }
          : {
              alert: `Bench_${copy}_${shape}_${i}`,
              expr: text,
              for: i % 3 === 0 ? '1m' : '15s',
              labels: { severity: i % 4 === 0 ? 'critical' : 'warning' },
              annotations: {
                summary: 'Task {{ $labels.task_name }} of queue {{ $labels.messaging_destination_name }}',
                description: 'It is at {{ printf "%.2f" $value }}, too much for {{ $labels.job }}.',
              },
            },
      );
    }
  }
  return interleaved(rules);
}

/** Kinds of rules side by side, as in files by theme: the order is that of the shapes taken in turn. */
function interleaved(rules: readonly object[]): object[] {
  const stride = 7;
  return Array.from({ length: rules.length }, (_, at) => rules[(at * stride) % rules.length]!);
}
