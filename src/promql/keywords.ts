/** What a word means to the grammar outside of braces, whatever its case (source: Prometheus, promql/parser/lex.go). */
export type KeywordClass = 'operator' | 'aggregator' | 'modifier' | 'preprocessor';

const WORDS: Readonly<Record<KeywordClass, string>> = {
  operator: 'and or unless atan2',
  aggregator:
    'sum avg count min max group stddev stdvar topk bottomk count_values quantile limitk limit_ratio',
  modifier:
    'offset smoothed anchored by without on ignoring group_left group_right fill fill_left fill_right bool',
  preprocessor: 'start end step range max_of min_of',
};

export const KEYWORDS: ReadonlyMap<string, KeywordClass> = new Map(
  Object.entries(WORDS).flatMap(([kind, words]) =>
    words.split(' ').map((word) => [word, kind as KeywordClass] as const),
  ),
);

/** Keywords only in front of a parenthesis: they are younger than metrics of that name. */
export const FILLS: ReadonlySet<string> = new Set(['fill', 'fill_left', 'fill_right']);

/** What may stand for a duration in brackets. */
export const DURATION_WORDS: ReadonlySet<string> = new Set(['step', 'range', 'max_of', 'min_of']);

/** Keywords that cannot name a metric. */
export const NO_METRICS: ReadonlySet<string> = new Set([
  'on',
  'ignoring',
  'group_left',
  'group_right',
  'bool',
  'atan2',
]);
