import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseDuration } from '../../../src/model/duration.ts';
import { type Labels, labelsKey } from '../../../src/model/labels.ts';
import { notation, type SeriesGroup } from './series.ts';

export interface Query {
  readonly expr: string;
  /** ms */
  readonly t: number;
}

export interface Asked {
  readonly group: SeriesGroup;
  readonly queries: readonly Query[];
}

/** Values by {@link labelsKey}, or the message of an error. */
export type Answer = ReadonlyMap<string, number> | string;

/**
 * What `promtool test rules` answers, per query. It is told that every query gives nothing, and then says what it gives.
 */
export function askPromtool(promtool: string, asked: Asked): Answer[] {
  const folder = mkdtempSync(join(tmpdir(), 'taskwarden-promtool-'));
  try {
    const file = join(folder, 'test.yml');
    writeFileSync(file, testFile(asked));
    const { stdout, stderr } = spawnSync(promtool, ['test', 'rules', file], {
      encoding: 'utf8',
      maxBuffer: 1 << 26,
    });
    const answers = readAnswers(stdout + stderr);
    return asked.queries.map(({ expr, t }) => answers.get(`${t} ${expr}`) ?? NOTHING);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const NOTHING: Answer = new Map();

/** JSON is YAML. */
function testFile({ group, queries }: Asked): string {
  const interval = `${group.intervalS}s`;
  // Samples are loaded up to the latest query, and some look into the future.
  const last: Query = { expr: 'vector(1)', t: 36_000_000 };
  const test = {
    interval,
    input_series: group.series.map(notation),
    promql_expr_test: [...queries, last].map(({ expr, t }) => ({ expr, eval_time: `${t}ms` })),
  };
  return JSON.stringify({ rule_files: [], evaluation_interval: interval, tests: [test] });
}

function readAnswers(output: string): Map<string, Answer> {
  const answers = new Map<string, Answer>();
  const entries = output.matchAll(
    /expr: ("(?:[^"\\]|\\.)*"), time: (\w+),(?: err: (.*)| *\n\s*exp: nil\n\s*got: (.*))/g,
  );
  for (const [, quoted = '', time = '', error, got = ''] of entries) {
    answers.set(`${parseDuration(time)} ${JSON.parse(quoted)}`, error ?? readVector(got));
  }
  if (answers.size === 0) throw new Error(`promtool answered nothing:\n${output.slice(0, 2000)}`);
  return answers;
}

function readVector(text: string): Map<string, number> {
  const samples = text.matchAll(/([\w:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})? (\S+?)(?:, |$)/g);
  return new Map(
    [...samples].map(([, name = '', inside = '', value = '']) => {
      const labels: Record<string, string> = name === '' ? {} : { __name__: name };
      for (const [, label, quoted] of inside.matchAll(/(\w+)=("(?:[^"\\]|\\.)*")/g)) {
        labels[label!] = JSON.parse(quoted!);
      }
      return [labelsKey(labels as Labels), Number(value.replace('Inf', 'Infinity'))];
    }),
  );
}
