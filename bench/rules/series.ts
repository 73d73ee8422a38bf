import type { Labels } from '../../src/model/labels.ts';

/** Series of one task: 6 counters, 6 gauges and a histogram of 6 buckets. */
export const SERIES_PER_TASK = 20;
export const STEP_MS = 5000;

export const COUNTERS = [
  'task_runs_total',
  'task_failures_total',
  'task_retries_total',
  'task_cpu_time_seconds_total',
  'task_network_requests_total',
  'task_network_received_bytes_total',
] as const;
export const GAUGES = [
  'task_active',
  'task_memory_bytes',
  'task_memory_limit_bytes',
  'task_sockets_open',
  'task_queue_waiting',
  'task_last_success_timestamp_seconds',
] as const;
export const HISTOGRAM = 'task_run_duration_seconds';
const BOUNDS = ['0.1', '0.5', '1', '10', '60', '+Inf'] as const;

const TASKS_PER_QUEUE = 5;
/** Ticks between two restarts of the worker that a task runs on, in which its counters begin anew. */
const RESTART_TICKS = 250;

export interface SyntheticSeries {
  readonly labels: Labels;
  /** Its value at a time in seconds since the Unix epoch. */
  readonly at: (seconds: number) => number;
}

/**
 * Made-up series of a worker, {@link SERIES_PER_TASK} per task: the same labels and values in every process, so that two
 * programs can be fed with the same. Counters grow at a pace of their own that wavers, one task in ten is restarted now
 * and then; gauges move up and down around a level of their own.
 */
export function syntheticSeries(tasks: number): SyntheticSeries[] {
  const series: SyntheticSeries[] = [];
  const gauges = GAUGES.filter((name) => name !== 'task_last_success_timestamp_seconds');
  for (let task = 0; task < tasks; task++) {
    const own = taskLabels(task);
    for (const [kind, name] of COUNTERS.entries()) {
      series.push({ labels: { __name__: name, ...own }, at: counter(task, kind, 1) });
    }
    for (const [kind, name] of gauges.entries()) {
      series.push({ labels: { __name__: name, ...own }, at: gauge(task, kind) });
    }
    series.push({
      labels: { __name__: 'task_last_success_timestamp_seconds', ...own },
      at: (seconds) => seconds - ((seconds / 5 + task * 7) % 40),
    });
    for (const [at, le] of BOUNDS.entries()) {
      const share = (at + 1) / BOUNDS.length;
      const labels = { __name__: `${HISTOGRAM}_bucket`, ...own, le };
      series.push({ labels, at: counter(task, COUNTERS.length, share) });
    }
    for (const suffix of ['_sum', '_count']) {
      const labels = { __name__: `${HISTOGRAM}${suffix}`, ...own };
      series.push({ labels, at: counter(task, COUNTERS.length, 1) });
    }
  }
  return series;
}

/** Samples of `series` at a time in the text format that Prometheus scrapes. */
export function exposition(series: readonly SyntheticSeries[], seconds: number): string {
  let text = '';
  for (const each of series) text += `${seriesText(each.labels)} ${each.at(seconds)}\n`;
  return text;
}

/** The same at each of several times as an OpenMetrics file, from which promtool makes blocks. */
export function* openMetrics(
  series: readonly SyntheticSeries[],
  seconds: readonly number[],
): Generator<string> {
  for (const each of series) {
    const name = seriesText(each.labels);
    yield seconds.map((at) => `${name} ${each.at(at)} ${at}\n`).join('');
  }
  yield '# EOF\n';
}

function seriesText({ __name__, ...labels }: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
  return `${__name__}{${pairs.join(',')}}`;
}

function taskLabels(task: number): Labels {
  return {
    job: 'bench',
    instance: 'worker-1',
    messaging_system: 'bullmq',
    messaging_destination_name: `queue-${Math.floor(task / TASKS_PER_QUEUE)}`,
    task_name: `task-${task}`,
  };
}

/** Grows by a whole number a tick; `share` scales it, for the buckets of a histogram. */
function counter(task: number, kind: number, share: number): SyntheticSeries['at'] {
  const pace = 1 + ((task * 13 + kind * 7) % 20);
  const restarts = task % 10 === 3;
  return (seconds) => {
    const tick = Math.floor(seconds / (STEP_MS / 1000)) + task;
    const since = restarts ? tick % RESTART_TICKS : tick % 1_000_000;
    return Math.floor((since * pace + 3 * Math.sin(since / 9)) * share) + 10;
  };
}

function gauge(task: number, kind: number): SyntheticSeries['at'] {
  const level = 100 * (1 + ((task * 31 + kind * 17) % 50));
  return (seconds) => level + Math.round(40 * Math.sin(seconds / 60 + task) + ((seconds * 7 + task) % 13));
}
