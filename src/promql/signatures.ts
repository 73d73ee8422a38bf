import type { ValueType } from './ast.ts';

/** What a function takes and gives (source: Prometheus, promql/parser/functions.go). */
export interface Signature {
  readonly args: readonly ValueType[];
  /** How many arguments beyond the required ones may come; they are the last of `args` or repeat it. -1 = any number. */
  readonly variadic: number;
  readonly returns: ValueType;
}

const signatures = new Map<string, Signature>();

function define(
  names: string,
  args: readonly ValueType[],
  returns: ValueType = 'vector',
  variadic = 0,
): void {
  for (const name of names.split(' ')) signatures.set(name, { args, variadic, returns });
}

define('abs ceil floor exp sqrt ln log2 log10 sgn deg rad', ['vector']);
define('sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh', ['vector']);
define('clamp', ['vector', 'scalar', 'scalar']);
define('clamp_max clamp_min', ['vector', 'scalar']);
define('round', ['vector', 'scalar'], 'vector', 1);
define('absent sort sort_desc timestamp', ['vector']);
define('rate increase delta irate idelta deriv changes resets absent_over_time', ['matrix']);
define('avg_over_time count_over_time max_over_time min_over_time sum_over_time', ['matrix']);
define('first_over_time last_over_time present_over_time stddev_over_time stdvar_over_time', ['matrix']);
define('quantile_over_time', ['scalar', 'matrix']);
define('predict_linear', ['matrix', 'scalar']);
define('histogram_quantile', ['scalar', 'vector']);
define('histogram_fraction', ['scalar', 'scalar', 'vector']);
define('label_replace', ['vector', 'string', 'string', 'string', 'string']);
define('label_join', ['vector', 'string', 'string', 'string'], 'vector', -1);
define('minute hour day_of_week day_of_month day_of_year days_in_month month year', ['vector'], 'vector', 1);
define('vector', ['scalar']);
define('scalar', ['vector'], 'scalar');
define('time pi', [], 'scalar');

export const SIGNATURES: ReadonlyMap<string, Signature> = signatures;

/** Functions that a Prometheus knows but refuses unless a feature flag is set. */
export const EXPERIMENTAL_FUNCTIONS: ReadonlySet<string> = new Set(
  (
    'double_exponential_smoothing end histogram_quantiles info integral mad_over_time max_of min_of range ' +
    'sort_by_label sort_by_label_desc start start_timestamp step ts_of_first_over_time ts_of_last_over_time ' +
    'ts_of_max_over_time ts_of_min_over_time'
  ).split(' '),
);

/** Functions of native histograms, which have nothing to read here. */
export const NATIVE_FUNCTIONS: ReadonlySet<string> = new Set(
  'histogram_avg histogram_count histogram_stddev histogram_stdvar histogram_sum'.split(' '),
);
