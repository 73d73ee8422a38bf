import { isScalar, type Node } from 'yaml';
import type { Position } from '../../model/errors.ts';
import type { Labels } from '../../model/labels.ts';
import { parseFloat64 } from '../../promql/format.ts';
import { parseRuleDuration } from '../duration.ts';
import { fields } from '../read-fields.ts';
import type { Entry, YamlReader } from '../yaml-reader.ts';
import { type InputValue, parseValues } from './values.ts';

/** A file of rule tests in promtool's format. Times are ms since the start of the test. */
export interface TestFile {
  readonly ruleFiles: readonly string[];
  readonly evaluationIntervalMs: number;
  /** Names of groups in the order in which they are to be evaluated; others come first. */
  readonly groupOrder: readonly string[];
  /** Neighbouring floats are taken as equal. */
  readonly fuzzy: boolean;
  readonly tests: readonly RuleTest[];
}

export interface RuleTest {
  /** Empty where it has none. */
  readonly name: string;
  /** The name, or `unnamed#2` for the third test of the file. */
  readonly title: string;
  readonly intervalMs: number;
  /** Start, ms since the Unix epoch. */
  readonly startMs: number;
  readonly series: readonly {
    readonly series: string;
    readonly values: readonly InputValue[];
    readonly position: Position;
  }[];
  readonly alerts: readonly AlertCase[];
  readonly expressions: readonly ExpressionCase[];
  readonly externalLabels: Labels;
  readonly externalUrl: string;
}

interface Case {
  readonly atMs: number;
  readonly position: Position;
}

export interface AlertCase extends Case {
  readonly name: string;
  /** Without `alertname`. */
  readonly expected: readonly { readonly labels: Labels; readonly annotations: Labels }[];
}

export interface ExpressionCase extends Case {
  readonly expr: string;
  /** Labels as text: `up{job="x"}`. */
  readonly expected: readonly { readonly labels: string; readonly value: number }[];
}

const DEFAULT_INTERVAL_MS = 60_000;

const NO_NATIVE_HISTOGRAMS = 'native histograms are not supported: use the buckets of a classic one';

/** Reads the root node of a test file; what is wrong goes to the reader's errors. */
export function readTestFile(reader: YamlReader, root: Node | null): TestFile {
  const read = new Fields(reader, root, 'the file', [
    'rule_files',
    'evaluation_interval',
    'group_eval_order',
    'fuzzy_compare',
    'tests',
  ]);
  const evaluationIntervalMs = read.duration('evaluation_interval') || DEFAULT_INTERVAL_MS;
  return {
    ruleFiles: read.items('rule_files').map((node) => reader.text(node, 'rule_files') ?? ''),
    evaluationIntervalMs,
    groupOrder: readOrder(reader, read.items('group_eval_order')),
    fuzzy: read.text('fuzzy_compare') === 'true',
    tests: read.items('tests').map((node, at) => readTest(reader, node, at, evaluationIntervalMs)),
  };
}

function readOrder(reader: YamlReader, nodes: readonly (Node | null)[]): string[] {
  const names = new Set<string>();
  for (const node of nodes) {
    const name = reader.text(node, 'group_eval_order') ?? '';
    if (names.has(name)) reader.fail(node ?? 0, `group name repeated in evaluation order: ${name}`);
    names.add(name);
  }
  return [...names];
}

function readTest(reader: YamlReader, node: Node | null, at: number, evaluationIntervalMs: number): RuleTest {
  const read = new Fields(reader, node, 'a test', [
    'name',
    'interval',
    'start_timestamp',
    'input_series',
    'alert_rule_test',
    'promql_expr_test',
    'external_labels',
    'external_url',
  ]);
  const name = read.text('name');
  return {
    name,
    title: name === '' ? `unnamed#${at}` : name,
    intervalMs: read.duration('interval') || evaluationIntervalMs,
    startMs: read.time('start_timestamp'),
    series: read.items('input_series').map((item) => {
      const series = new Fields(reader, item, 'an input series', ['series', 'values']);
      return { series: series.text('series'), values: series.values('values'), position: series.position };
    }),
    alerts: read.items('alert_rule_test').map((item) => {
      const own = new Fields(reader, item, 'an alert case', ['eval_time', 'alertname', 'exp_alerts']);
      const expected = own.items('exp_alerts').map((alert) => {
        const parts = new Fields(reader, alert, 'an expected alert', ['exp_labels', 'exp_annotations']);
        return { labels: parts.labels('exp_labels'), annotations: parts.labels('exp_annotations') };
      });
      return {
        atMs: own.duration('eval_time'),
        name: own.text('alertname'),
        expected,
        position: own.position,
      };
    }),
    expressions: read.items('promql_expr_test').map((item) => {
      const own = new Fields(reader, item, 'an expression case', ['eval_time', 'expr', 'exp_samples']);
      const expected = own.items('exp_samples').map((sample) => {
        const parts = new Fields(reader, sample, 'an expected sample', ['labels', 'value', 'histogram']);
        parts.refuse('histogram', NO_NATIVE_HISTOGRAMS);
        return { labels: parts.text('labels'), value: parts.number('value') };
      });
      return { atMs: own.duration('eval_time'), expr: own.text('expr'), expected, position: own.position };
    }),
    externalLabels: read.labels('external_labels'),
    externalUrl: read.text('external_url'),
  };
}

/** The fields of one mapping; an absent one has the empty value of its kind, as in Go. */
class Fields {
  readonly position: Position;
  readonly #reader: YamlReader;
  readonly #what: string;
  readonly #entries: Map<string, Entry>;

  constructor(reader: YamlReader, node: Node | null, what: string, keys: readonly string[]) {
    this.#reader = reader;
    this.#what = what;
    this.#entries = fields(reader.entries(node, what, keys));
    this.position = reader.position(node ?? 0);
  }

  items(key: string): (Node | null)[] {
    return this.#reader.items(this.#node(key), this.#name(key)) ?? [];
  }

  text(key: string): string {
    return this.#reader.text(this.#node(key), this.#name(key)) ?? '';
  }

  /** ms */
  duration(key: string): number {
    return this.#parsed(key, parseRuleDuration, 'a duration, such as 30s', 0);
  }

  /** As in YAML, where an infinity is `.inf` and a quoted number is a text. */
  number(key: string): number {
    const node = this.#node(key);
    const plain = isScalar(node) && node.type === 'PLAIN';
    const parse = (text: string) => {
      if (!plain || /^[+-]?[in]/i.test(text)) return undefined;
      return parseFloat64(text.replace(/^([+-]?)\.(?=[in])/i, '$1').replaceAll('_', ''));
    };
    return this.#parsed(key, parse, 'a number', 0);
  }

  /** Fails where a field has a text. */
  refuse(key: string, message: string): void {
    const node = this.#node(key);
    if (node !== null && this.text(key) !== '') this.#reader.fail(node, `${this.#name(key)}: ${message}`);
  }

  /** ms since the Unix epoch, of a time in RFC 3339 or in seconds. */
  time(key: string): number {
    const parse = (text: string) => {
      const ms = /^-?\d+(?:\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text);
      return Number.isNaN(ms) ? undefined : ms;
    };
    return this.#parsed(key, parse, 'a time, such as 2024-01-01T00:00:00Z', 0);
  }

  values(key: string): InputValue[] {
    const text = this.text(key);
    if (text.includes('{{')) {
      this.refuse(key, NO_NATIVE_HISTOGRAMS);
      return [];
    }
    try {
      return parseValues(text);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#reader.fail(this.#node(key) ?? 0, `${this.#name(key)}: ${message}`);
      return [];
    }
  }

  labels(key: string): Labels {
    const entries = this.#reader.entries(this.#node(key), this.#name(key)) ?? [];
    return Object.fromEntries(
      entries.map((entry) => [
        entry.key,
        this.#reader.text(entry.value, `${this.#name(key)}: ${entry.key}`) ?? '',
      ]),
    );
  }

  #parsed<T>(key: string, parse: (text: string) => T | undefined, wanted: string, empty: T): T {
    const node = this.#node(key);
    if (node === null) return empty;
    const text = this.text(key);
    const value = parse(text);
    if (value === undefined && isScalar(node))
      this.#reader.fail(node, `${this.#name(key)}: "${text}" is not ${wanted}`);
    return value ?? empty;
  }

  #node(key: string): Node | null {
    return this.#entries.get(key)?.value ?? null;
  }

  #name(key: string): string {
    return `${this.#what}: ${key}`;
  }
}
