import type { ReceivedLog, ReceivedPoint } from '../test/helpers/otlp-items.ts';
import type { DemoTask } from './tasks.ts';

const colour = process.stdout.isTTY === true && process.env.NO_COLOR === undefined;
const paint = (code: number) => (text: string) => (colour ? `\x1b[${code}m${text}\x1b[0m` : text);
export const bold: (text: string) => string = paint(1);
export const dim: (text: string) => string = paint(2);
const red = paint(31);
const green = paint(32);

/** The newest cumulative value of every series of the tasks. */
export class Usage {
  readonly #points = new Map<string, ReceivedPoint>();

  add(point: ReceivedPoint): void {
    if (point.attributes['task.name'] === undefined) return;
    this.#points.set(`${point.name} ${JSON.stringify(point.attributes)}`, point);
  }

  tasks(): string[] {
    const seconds = (task: string): number => this.sum('task.cpu.time', task);
    const names = new Set([...this.#points.values()].map((point) => String(point.attributes['task.name'])));
    names.delete('none');
    return [...names].sort((a, b) => seconds(b) - seconds(a));
  }

  /** Sum of a metric over all series of a task that `also` accepts. */
  sum(name: string, task: string, also: (point: ReceivedPoint) => boolean = () => true): number {
    return this.#of(name, task, also).reduce((sum, point) => sum + point.value, 0);
  }

  /** Upper bound of the bucket in which the 95th percentile falls, s. */
  p95(name: string, task: string): number {
    const points = this.#of(name, task, () => true);
    const bounds = points[0]?.bounds ?? [];
    const total = points.reduce((sum, point) => sum + point.count, 0);
    let seen = 0;
    for (let bucket = 0; bucket < bounds.length; bucket++) {
      for (const point of points) seen += point.bucketCounts[bucket] ?? 0;
      if (seen >= 0.95 * total) return bounds[bucket]!;
    }
    return Number.POSITIVE_INFINITY;
  }

  #of(name: string, task: string, also: (point: ReceivedPoint) => boolean): ReceivedPoint[] {
    return [...this.#points.values()].filter(
      (point) => point.name === name && point.attributes['task.name'] === task && also(point),
    );
  }
}

/** One alert as it arrives: when, what, whom, and which runs. */
export function alertLine(alert: ReceivedLog, startedAt: number): string {
  const { attributes } = alert;
  const at = `${((alert.receivedAt - startedAt) / 1000).toFixed(1).padStart(5)} s`;
  const firing = attributes['taskwarden.alert.state'] === 'firing';
  const state = firing ? red('FIRING  ') : green('resolved');
  const jobs = attributes['taskwarden.alert.runs.messaging.message.id'];
  const runs = firing && Array.isArray(jobs) ? dim(`  job ${jobs.slice(0, 3).join(', ')}`) : '';
  const lead = process.stdout.isTTY ? '\r\x1b[K' : '';
  return `${lead}${at}  ${state}  ${bold(String(attributes['taskwarden.alert.name']))}  ${String(alert.body)}${runs}`;
}

/** What each task used. */
export function printTable(usage: Usage, alerts: readonly ReceivedLog[]): void {
  const head = ['task', 'runs', 'p95', 'CPU/run', 'memory/run', 'requests/run', 'alerts'];
  const rows = usage.tasks().map((task) => {
    const runs = usage.sum('task.runs', task);
    const per = (name: string): number => usage.sum(name, task) / runs;
    const retained = usage.sum('task.memory.retained', task);
    const named = new Set(alerts.filter((alert) => alert.attributes['task.name'] === task).map(nameOf));
    return [
      task,
      String(runs),
      seconds(usage.p95('messaging.process.duration', task)),
      seconds(per('task.cpu.time')),
      Number.isFinite(retained) && retained > 0 ? `+${(retained / 1000).toFixed(0)} KB` : '-',
      per('task.network.requests').toFixed(0),
      [...named].join(', ') || '-',
    ];
  });
  const widths = head.map((_, at) => Math.max(...[head, ...rows].map((row) => row[at]!.length)));
  const line = (cells: readonly string[]): string =>
    cells.map((cell, at) => cell.padEnd(widths[at]!)).join('  ');
  console.log(`\n${bold(line(head))}`);
  for (const row of rows) console.log(row.at(-1) === '-' ? line(row) : red(line(row)));
}

/** Says whether each guilty task, and no innocent one, was named. */
export function verdict(alerts: readonly ReceivedLog[], tasks: Readonly<Record<string, DemoTask>>): boolean {
  const firing = alerts.filter((alert) => alert.attributes['taskwarden.alert.state'] === 'firing');
  const named = (rule: string, task: string): boolean =>
    firing.some((alert) => nameOf(alert) === rule && alert.attributes['task.name'] === task);
  const missed = Object.entries(tasks).filter(
    ([task, { expect }]) => expect !== undefined && !named(expect, task),
  );
  const wronged = firing.filter((alert) => {
    const task = alert.attributes['task.name'];
    return typeof task === 'string' && tasks[task] !== undefined && tasks[task].expect === undefined;
  });
  for (const [task, { expect }] of missed) console.log(red(`\nMissed: ${expect} did not name ${task}`));
  for (const alert of wronged)
    console.log(red(`\nWrong: ${nameOf(alert)} named ${alert.attributes['task.name']}, which is innocent`));
  if (missed.length + wronged.length > 0) return false;
  console.log(`
${green('Every guilty task was named, and no innocent one.')} What next:
  npm install taskwarden
  OTEL_EXPORTER_OTLP_ENDPOINT=http://your-collector:4318 node --import taskwarden/register your-worker.js
  taskwarden doctor                 what is configured, what is instrumented
  rules/*.yaml, docs/threats.md     the alerts, and what to do about each
  dashboards/*.json                 for Grafana;  otel-collector.yaml for a collector`);
  return true;
}

function nameOf(alert: ReceivedLog): string {
  return String(alert.attributes['taskwarden.alert.name']);
}

function seconds(value: number): string {
  if (!Number.isFinite(value)) return '-';
  return value >= 1 ? `${value.toFixed(1)} s` : `${(value * 1000).toFixed(value < 0.01 ? 2 : 0)} ms`;
}
