import type { Random } from './random.ts';

const OVER_TIME = (
  'avg_over_time min_over_time max_over_time sum_over_time count_over_time stddev_over_time stdvar_over_time ' +
  'last_over_time present_over_time absent_over_time changes resets rate increase delta irate idelta deriv'
).split(' ');
/** Functions whose result must not differ in the last digits from promtool's, as it may come to be compared. */
const OF_VECTORS = (
  'abs ceil floor sgn sqrt sort sort_desc round absent timestamp exp ln log2 log10 sin cos tan asin acos atan sinh cosh ' +
  'tanh asinh acosh atanh deg rad'
).split(' ');
const DATES = 'hour minute month year day_of_week day_of_month day_of_year days_in_month'.split(' ');
const ARITHMETIC = '+ - * / % ^ atan2'.split(' ');
const COMPARISON = '== != < <= > >='.split(' ');
const ODD = (
  '( ) { } [ ] , : @ offset by without on ignoring group_left bool and or unless = == =~ ! + - * ^ 5m 1h30m 0x1f 1e3 5 08 1_0 . $ % ' +
  '"x" \'y\' `z` "\\y" foo sum topk rate nosuch start end step range inf nan fill __name__ le[ 5m] #'
).split(' ');
const NUMBERS = ['0', '1', '0.5', '0.9', '2', '10', '-3.25', '60', '1e3', '0.01', 'Inf', '-Inf', 'NaN'];

/** Expressions over the series of {@link randomSeries}; none of what only one version of Prometheus knows, unless `v3`. */
export class Expressions {
  readonly #random: Random;
  readonly #v3: boolean;

  constructor(random: Random, v3: boolean) {
    this.#random = random;
    this.#v3 = v3;
  }

  next(): string {
    const depth = this.#random.pick([1, 2, 2, 3]);
    return this.#random.chance(0.1)
      ? `${this.#scalar(2)} ${this.#random.pick(ARITHMETIC)} ${this.#scalar(2)}`
      : this.#vector(depth);
  }

  /** One of the expressions with a mistake made in it, mostly. */
  broken(): string {
    const tokens = this.next().match(/[\w.]+|"[^"]*"|[=!]~|[=!<>]=|\S/g) ?? [];
    for (let times = this.#random.int(1, 2); times > 0; times--) {
      const at = this.#random.int(0, tokens.length - 1);
      const other = this.#random.chance(0.5) ? this.#random.pick(tokens) : this.#random.pick(ODD);
      tokens.splice(at, this.#random.int(0, 1), ...(this.#random.chance(0.3) ? [] : [other]));
    }
    return tokens.join(this.#random.pick([' ', ' ', '\n']));
  }

  #pick<T>(...from: readonly T[]): T {
    return this.#random.pick(from);
  }

  #name(): string {
    return this.#pick(
      'c_total',
      'g',
      'g',
      'g',
      'h',
      'limit',
      'owner',
      'd_bucket',
      'missing',
      '{__name__=~"g|h"}',
    );
  }

  #matchers(name: string): string {
    if (name.startsWith('{')) return name;
    const matchers = [
      '',
      '',
      '{q="mail"}',
      '{q=~"s.+|push"}',
      '{t!="a"}',
      '{t!~"[bc]"}',
      '{q=~".*m.*",t=""}',
      '{q!=""}',
    ];
    return `${name}${this.#random.pick(matchers)}`;
  }

  #shift(): string {
    return this.#pick(
      '',
      '',
      '',
      '',
      '',
      ' offset 1m',
      ' offset -30s',
      ' offset 15s',
      ' @ 300',
      ' @ 307',
      ' @ 307.5 offset 2m',
      ' @ start()',
      ' @ end() offset 45s',
    );
  }

  #range(): string {
    return this.#pick('20s', '30s', '1m', '95s', '2m', '5m', '12m', '1m500ms');
  }

  #selector(): string {
    return `${this.#matchers(this.#name())}${this.#shift()}`;
  }

  #matrix(depth: number): string {
    if (depth > 0 && this.#random.chance(0.25)) {
      const step = this.#pick('', '', '7s', '11s', '30s', '1m');
      const inner = this.#vector(depth - 1);
      if (!inner.includes('@')) return `(${inner})[${this.#range()}:${step}]${this.#shift()}`;
      // What is fixed by `@` goes astray in Prometheus where the first step of a shifted subquery is the time of evaluation,
      // and 2.42 evaluates it even where there is no step.
      return `(${this.#v3 ? inner : this.#matchers(this.#name())})[${this.#range()}:${step}]`;
    }
    return `${this.#matchers(this.#name())}[${this.#range()}]${this.#shift()}`;
  }

  #vector(depth: number): string {
    if (depth === 0) return this.#selector();
    const inner = (): string => this.#vector(depth - 1);
    return this.#pick(
      () => this.#selector(),
      () => this.#overTime(depth),
      () => this.#overTime(depth),
      () => this.#overTime(depth),
      () => this.#aggregation(inner(), depth),
      () => this.#aggregation(inner(), depth),
      () => this.#binary(depth),
      () => this.#binary(depth),
      () => this.#binary(depth),
      () => this.#function(inner(), depth),
      () => this.#function(inner(), depth),
      () => `${this.#pick('-', '+')}(${inner()})`,
    )();
  }

  #overTime(depth: number): string {
    const matrix = this.#matrix(depth);
    if (this.#random.chance(0.08)) return `quantile_over_time(${this.#fraction()}, ${matrix})`;
    if (this.#random.chance(0.08)) return `predict_linear(${matrix}, ${this.#scalar(depth - 1)})`;
    if (this.#v3 && this.#random.chance(0.05)) return `first_over_time(${matrix})`;
    return `${this.#random.pick(OVER_TIME)}(${matrix})`;
  }

  /** Digits that depend on the order of a sum or on a library of functions must not become labels. */
  #countable(inner: string): string {
    return this.#random.chance(0.3) ? this.#selector() : `round(${inner}, 0.01)`;
  }

  #grouping(): string {
    return this.#pick(
      '',
      '',
      ' by (q)',
      ' by (t, q)',
      ' without (t)',
      ' without (q, le)',
      ' by ()',
      ' by (le)',
      ' without ()',
      ' by (__name__)',
    );
  }

  #aggregation(inner: string, depth: number): string {
    const grouping = this.#grouping();
    return this.#pick(
      () => `${this.#pick('sum', 'avg', 'min', 'max')}${grouping} (${inner})`,
      () => `${this.#pick('sum', 'avg', 'min', 'max')} (${inner})${grouping}`,
      () => `${this.#pick('count', 'group', 'stddev', 'stdvar')}${grouping} (${inner})`,
      () =>
        `${this.#pick('topk', 'bottomk')}${grouping} (${this.#pick('0', '1', '2', '3', '50', '2.7')}, ${inner})`,
      () =>
        `quantile${grouping} (${this.#random.chance(0.9) ? this.#fraction() : this.#scalar(depth - 1)}, ${inner})`,
      () => `count_values${grouping} ("${this.#pick('v', 'q', 't')}", ${this.#countable(inner)})`,
    )();
  }

  #binary(depth: number): string {
    const compares = this.#random.chance(0.4);
    const op = this.#random.pick(compares ? COMPARISON : ARITHMETIC);
    const bool = compares && this.#random.chance(0.3) ? ' bool' : '';
    const left = `(${this.#vector(depth - 1)})`;
    if (this.#random.chance(0.25)) return `${left} ${op}${bool} ${this.#scalar(depth - 1)}`;
    if (this.#random.chance(0.1)) return `${this.#scalar(depth - 1)} ${op}${bool} ${left}`;
    const right = this.#random.chance(0.5) ? this.#selector() : `(${this.#vector(depth - 1)})`;
    const matching = this.#pick(
      '',
      'on (q)',
      'on (q, t)',
      'ignoring (t)',
      'ignoring (le)',
      'on ()',
      'ignoring (team, t)',
    );
    if (this.#random.chance(0.25)) return `${left} ${this.#pick('and', 'or', 'unless')} ${matching} ${right}`;
    const group =
      matching === ''
        ? ''
        : this.#pick('', '', 'group_left', 'group_left (team)', 'group_right', 'group_right (t)');
    return `${left} ${op}${bool} ${matching} ${group} ${right}`;
  }

  #function(inner: string, depth: number): string {
    return this.#pick(
      () => `${this.#random.pick(OF_VECTORS)}(${inner})`,
      () => `${this.#random.pick(OF_VECTORS)}(${inner})`,
      () => `${this.#random.pick(DATES)}(${this.#random.chance(0.1) ? '' : `(${inner}) > -1e12 < 1e12`})`,
      () => `clamp(${inner}, ${this.#number()}, ${this.#number()})`,
      () => `${this.#pick('clamp_min', 'clamp_max')}(${inner}, ${this.#scalar(depth - 1)})`,
      () => `round(${inner}, ${this.#number()})`,
      () =>
        `label_replace(${inner}, "${this.#pick('n', 't')}", "${this.#pick('$1-$2', '$' + '{1}x', '', '$3$$')}", "q", "${this.#pick('(.)(.*)', 'm(.*)', '', '.*')}")`,
      () => `label_join(${inner}, "t", "${this.#pick('/', '')}", "q", "t")`,
      () => this.#histogram(depth),
      () => this.#histogram(depth),
      () => `vector(${this.#scalar(depth - 1)})`,
    )();
  }

  #histogram(depth: number): string {
    const buckets = this.#pick(
      () => `sum by (le, q) (rate(d_bucket[${this.#range()}]))`,
      () => `rate(d_bucket[${this.#range()}])`,
      () => `d_bucket${this.#shift()}`,
      () => this.#vector(depth - 1),
    )();
    if (this.#v3 && this.#random.chance(0.3))
      return `histogram_fraction(${this.#number()}, ${this.#number()}, ${buckets})`;
    return `histogram_quantile(${this.#fraction()}, ${buckets})`;
  }

  #scalar(depth: number): string {
    if (depth > 0 && this.#random.chance(0.3)) return `scalar(${this.#vector(depth - 1)})`;
    return this.#pick(
      'time()',
      'pi()',
      this.#number(),
      this.#number(),
      `(${this.#number()} > bool ${this.#number()})`,
    );
  }

  #fraction(): string {
    return this.#pick('0', '0.1', '0.25', '0.5', '0.9', '0.99', '1', '-1', '1.5', 'NaN');
  }

  #number(): string {
    return this.#random.pick(NUMBERS);
  }
}
