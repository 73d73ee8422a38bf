/** Random but repeatable expressions over the series below, for comparison with another engine. */

/** Every 15 s from 0 on, in promtool's notation. */
export const INTERVAL_S = 15;

export const SERIES: readonly (readonly [series: string, values: string])[] = [
  ['c_total{q="mail", t="a"}', '0+3x60'],
  ['c_total{q="mail", t="b"}', '5+1.5x20 0+7x38'],
  ['c_total{q="sms", t="a"}', '100x10 101 104 104 _ _ 110 111 115+2x40'],
  ['c_total{q="sms", t="b"}', '_x30 5+1x29'],
  ['c_total{q="push", t="a"}', '0+2x30 stale _x5 3+2x20'],
  ['g{q="mail", t="a"}', '10 12 9 -4 0 3.5 _ 8 7 6 5+0.25x49'],
  ['g{q="mail", t="b"}', '1e6-1234.5x60'],
  ['g{q="sms", t="a"}', 'NaN 1 2 3 4 NaN 6+1x40 1 3 4 5 6'],
  ['g{q="sms", t="c"}', '-1-1x60'],
  ['limit{q="mail"}', '40x60'],
  ['limit{q="sms"}', '7.5x60'],
  ['owner{q="mail", team="x"}', '1x60'],
  ['owner{q="sms", team="y"}', '1x60'],
  ['d_bucket{q="mail", le="0.1"}', '0+1x60'],
  ['d_bucket{q="mail", le="1"}', '0+4x60'],
  ['d_bucket{q="mail", le="10"}', '0+5x60'],
  ['d_bucket{q="mail", le="+Inf"}', '0+6x60'],
  ['d_bucket{q="sms", le="0.1"}', '0x60'],
  ['d_bucket{q="sms", le="1"}', '0+2x60'],
  ['d_bucket{q="sms", le="10"}', '0+2x30 60+1.5x29'],
  ['d_bucket{q="sms", le="+Inf"}', '0+2x60'],
];

/** Off the sample times, so that it does not matter whether windows are open or closed at their start. */
export const EVAL_TIMES_S: readonly number[] = [7, 157, 461, 647, 893, 1144];

/** What is asked of counters only: of gauges Prometheus 3 makes something else than 2 does. */
const COUNTED: ReadonlySet<string> = new Set(['rate', 'increase']);

export class Fuzzer {
  #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
  }

  expression(): string {
    return this.#pick([
      () => this.#vector(3),
      () => this.#vector(3),
      () => this.#vector(2),
      () => `${this.#scalar(2)} + ${this.#scalar(2)}`,
    ])();
  }

  #random(): number {
    // mulberry32
    this.#seed = (this.#seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)]!;
  }

  #selector(): string {
    const name = this.#pick(['c_total', 'g', 'g', 'limit', 'owner', 'd_bucket', 'missing']);
    const matchers = this.#pick([
      '',
      '',
      '{q="mail"}',
      '{q=~"s.+|push"}',
      '{t!="a"}',
      '{t!~"[bc]"}',
      '{q=~".*m.*",t=""}',
    ]);
    const shift = this.#pick(['', '', '', '', ' offset 1m', ' offset -30s', ' @ 307', ' @ 307 offset 2m']);
    return `${name}${matchers}${shift}`;
  }

  #matrix(depth: number): string {
    const range = this.#pick(['20s', '1m', '95s', '5m', '12m']);
    if (depth > 0 && this.#random() < 0.2) {
      const step = this.#pick(['', '11s', '30s', '1m']);
      return `(${this.#vector(depth - 1)})[${range}:${step}]`;
    }
    const selector = this.#selector();
    const at = selector.search(/ (?:offset|@)/);
    return at < 0 ? `${selector}[${range}]` : `${selector.slice(0, at)}[${range}]${selector.slice(at)}`;
  }

  #counter(): string {
    const range = this.#pick(['20s', '1m', '95s', '5m', '12m']);
    const selector = this.#pick(['c_total', 'c_total{t="a"}', 'c_total{q=~"mail|sms"}', 'd_bucket{q="sms"}']);
    return `${selector}[${range}]${this.#pick(['', '', '', ' offset 1m', ' @ 661'])}`;
  }

  #vector(depth: number): string {
    if (depth === 0) return this.#selector();
    const inner = (): string => this.#vector(depth - 1);
    return this.#pick([
      () => this.#selector(),
      () => this.#overTime(depth),
      () => this.#overTime(depth),
      () => this.#aggregation(inner()),
      () => this.#aggregation(inner()),
      () => this.#binary(depth),
      () => this.#binary(depth),
      () => this.#function(inner(), depth),
      () => `-(${inner()})`,
    ])();
  }

  #overTime(depth: number): string {
    const name = this.#pick(
      (
        'rate increase rate increase delta irate idelta deriv changes resets avg_over_time min_over_time max_over_time sum_over_time ' +
        'count_over_time stddev_over_time stdvar_over_time last_over_time present_over_time absent_over_time'
      ).split(' '),
    );
    const matrix = COUNTED.has(name) ? this.#counter() : this.#matrix(depth);
    if (this.#random() < 0.1) return `quantile_over_time(${this.#fraction()}, ${matrix})`;
    if (this.#random() < 0.1) return `predict_linear(${matrix}, ${this.#number()})`;
    return `${name}(${matrix})`;
  }

  #aggregation(inner: string): string {
    const op = this.#pick('sum avg min max count group stddev stdvar'.split(' '));
    const grouping = this.#pick([
      '',
      ' by (q)',
      ' by (t, q)',
      ' without (t)',
      ' without (q, le)',
      ' by ()',
      ' by (le)',
    ]);
    if (this.#random() < 0.15) return `quantile${grouping} (${this.#fraction()}, ${inner})`;
    if (this.#random() < 0.1) return `count_values${grouping} ("v", ${inner})`;
    return `${op}${grouping} (${inner})`;
  }

  #binary(depth: number): string {
    const arithmetic = '+ - * / % ^'.split(' ');
    const comparison = '== != < <= > >='.split(' ');
    const op = this.#pick([...arithmetic, ...comparison]);
    const bool = comparison.includes(op) && this.#random() < 0.3 ? ' bool' : '';
    const left = `(${this.#vector(depth - 1)})`;
    if (this.#random() < 0.3) return `${left} ${op}${bool} ${this.#scalar(depth - 1)}`;
    if (this.#random() < 0.1) return `${this.#scalar(depth - 1)} ${op}${bool} ${left}`;
    const right = this.#random() < 0.5 ? this.#selector() : `(${this.#vector(depth - 1)})`;
    const matching = this.#pick(['', '', 'on (q)', 'on (q, t)', 'ignoring (t)', 'ignoring (le)', 'on ()']);
    if (this.#random() < 0.25) return `${left} ${this.#pick(['and', 'or', 'unless'])} ${matching} ${right}`;
    const group =
      matching === '' ? '' : this.#pick(['', '', 'group_left', 'group_left (team)', 'group_right']);
    return `${left} ${op}${bool} ${matching} ${group} ${right}`;
  }

  #function(inner: string, depth: number): string {
    const one = 'abs ceil floor sgn sort round exp ln log2 log10 sqrt absent timestamp'.split(' ');
    return this.#pick([
      () => `${this.#pick(one)}(${inner})`,
      () => `${this.#pick(one)}(${inner})`,
      () => `${this.#pick('hour minute year day_of_week day_of_year'.split(' '))}(${inner} > -1e9 < 1e9)`,
      () => `clamp(${inner}, ${this.#number()}, ${this.#number()})`,
      () => `clamp_max(${inner}, ${this.#scalar(depth - 1)})`,
      () => `round(${inner}, ${this.#number()})`,
      () => `label_replace(${inner}, "n", "$1-$2", "q", "(.)(.*)")`,
      () => `label_join(${inner}, "t", "/", "q", "t")`,
      () =>
        `histogram_quantile(${this.#number()}, sum by (le, q) (rate(d_bucket[${this.#pick(['1m', '5m'])}])))`,
      () => `vector(${this.#scalar(depth - 1)})`,
    ])();
  }

  #scalar(depth: number): string {
    if (depth > 0 && this.#random() < 0.3) return `scalar(${this.#vector(depth - 1)})`;
    return this.#pick(['time()', 'pi()', this.#number(), `(${this.#number()} > bool ${this.#number()})`]);
  }

  #fraction(): string {
    return this.#pick(['0', '0.25', '0.5', '0.9', '0.99', '1']);
  }

  #number(): string {
    return this.#pick(['0', '1', '0.5', '0.9', '2', '10', '-3.25', '60', '1e3', '0.01']);
  }
}
