import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { freePort } from '../../test/helpers/free-port.ts';
import { answers, startServer } from '../../test/helpers/server-process.ts';
import { ruleFile } from './mix.ts';
import { openMetrics, STEP_MS, syntheticSeries } from './series.ts';

/** Prometheus keeps CPU time by the kernel's clock tick, which is a hundredth of a second on Linux. */
const CLOCK_TICK_MS = 10;

export interface PrometheusUnderTest {
  readonly pid: number;
  /** Alerts that fire, once all rules have been evaluated without an error. */
  firing(): Promise<number>;
  stop(): Promise<void>;
}

/**
 * Starts a Prometheus that scrapes `target` every 5 s, with the rules or without, upon a copy of `history`, and waits until
 * it has scraped and, where it has rules, evaluated them.
 */
export async function startPrometheus(
  binary: string,
  target: string,
  history: string,
  withRules: boolean,
): Promise<PrometheusUnderTest> {
  const folder = mkdtempSync(join(tmpdir(), 'taskwarden-bench-prometheus-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  cpSync(history, join(folder, 'data'), { recursive: true });
  const rules = join(folder, 'rules.yml');
  writeFileSync(rules, ruleFile());
  const step = `${STEP_MS / 1000}s`;
  const config = {
    global: { scrape_interval: step, evaluation_interval: step },
    scrape_configs: [{ job_name: 'bench', honor_labels: true, static_configs: [{ targets: [target] }] }],
    ...(withRules && { rule_files: [rules] }),
  };
  // JSON is YAML too.
  writeFileSync(join(folder, 'prometheus.yml'), JSON.stringify(config));
  const url = `http://127.0.0.1:${await freePort()}`;
  const server = startServer(binary, [
    `--config.file=${join(folder, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=${new URL(url).host}`,
  ]);
  const stop = async () => {
    await server.stop();
    process.removeListener('exit', remove);
    remove();
  };
  const rulesNow = async () => {
    const { data } = (await (await fetch(`${url}/api/v1/rules`)).json()) as RulesAnswer;
    return data.groups.flatMap((group) => group.rules);
  };
  const broken = (rule: RuleAnswer) => rule.health !== 'ok';
  try {
    await server.until('ready', () => answers(`${url}/-/ready`));
    await server.until('scraped', async () => (await count(url, 'task_active')) > 0);
    await server.until('every rule evaluated', async () => !(await rulesNow()).some(broken));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    pid: server.pid,
    firing: async () => {
      const all = await rulesNow();
      const failed = all.find(broken);
      if (failed !== undefined) throw new Error(`${failed.name} in Prometheus: ${failed.lastError}`);
      return all.flatMap(({ alerts = [] }) => alerts).filter(({ state }) => state === 'firing').length;
    },
    stop,
  };
}

interface RuleAnswer {
  readonly name: string;
  readonly health: string;
  readonly lastError?: string;
  readonly alerts?: readonly { readonly state: string }[];
}

interface RulesAnswer {
  readonly data: { readonly groups: readonly { readonly rules: readonly RuleAnswer[] }[] };
}

async function count(url: string, selector: string): Promise<number> {
  const query = new URLSearchParams({ query: `count(${selector})` });
  const { data } = (await (await fetch(`${url}/api/v1/query?${query}`)).json()) as {
    data: { result: { value: [number, string] }[] };
  };
  return Number(data.result[0]?.value[1] ?? 0);
}

/**
 * A folder of blocks with the series of the quarter of an hour that ends at `end`, ms, made by promtool; `remove` takes
 * it away.
 */
export function makeHistory(promtool: string, tasks: number, end: number): { path: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'taskwarden-bench-history-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  const path = join(folder, 'data');
  mkdirSync(path);
  const file = join(folder, 'history.om');
  const seconds = Array.from({ length: 180 }, (_, at) => (end - (180 - at) * STEP_MS) / 1000);
  writeFileSync(file, [...openMetrics(syntheticSeries(tasks), seconds)].join(''));
  execFileSync(promtool, ['tsdb', 'create-blocks-from', 'openmetrics', file, path], { stdio: 'ignore' });
  return {
    path,
    remove: () => {
      process.removeListener('exit', remove);
      remove();
    },
  };
}

/** CPU time of a process and all its threads so far, ms: `utime` and `stime` of /proc/PID/stat (proc(5)). */
export function processCpuMs(pid: number): number {
  return cpuOfStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}

export function cpuOfStat(stat: string): number {
  // The second field is the program's name in parentheses, which may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * CLOCK_TICK_MS;
}

/** The promtool that belongs to a prometheus: beside it, or the one on PATH. */
export function promtoolOf(binary: string): string {
  const beside = join(dirname(binary), 'promtool');
  return existsSync(beside) ? beside : 'promtool';
}
