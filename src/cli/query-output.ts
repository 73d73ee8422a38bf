type Metric = Readonly<Record<string, string>>;
type Point = readonly [seconds: number, value: string];

/** The `data` of Prometheus's answer to a query. */
export type QueryData =
  | { readonly resultType: 'scalar' | 'string'; readonly result: Point }
  | { readonly resultType: 'vector'; readonly result: readonly { metric: Metric; value: Point }[] }
  | {
      readonly resultType: 'matrix';
      readonly result: readonly { metric: Metric; values: readonly Point[] }[];
    };

/** An answer as lines for people: a table of values by series, of a range what became of each. */
export function linesOf({ resultType, result }: QueryData): string[] {
  switch (resultType) {
    case 'vector':
      return table([
        ['VALUE', 'SERIES'],
        ...result.map(({ metric, value }) => [value[1], seriesName(metric)]),
      ]);
    case 'matrix': {
      const rows = result.map(({ metric, values }) => {
        const numbers = values.map(([, value]) => toNumber(value)).filter((value) => !Number.isNaN(value));
        const least = numbers.length === 0 ? '-' : short(Math.min(...numbers));
        const most = numbers.length === 0 ? '-' : short(Math.max(...numbers));
        const last = short(toNumber(values.at(-1)?.[1] ?? 'NaN'));
        return [least, most, last, trend(numbers), seriesName(metric)];
      });
      return table([['MIN', 'MAX', 'LAST', 'TREND', 'SERIES'], ...rows]);
    }
    default:
      return [(result as Point)[1]];
  }
}

/** A series as PromQL selects it. */
function seriesName({ __name__: name = '', ...labels }: Metric): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  return pairs.length === 0 && name !== '' ? name : `${name}{${pairs.join(', ')}}`;
}

/** The expression with a caret under the place that the message speaks of; nothing where it names none. */
export function caret(expr: string, message: string): string[] {
  const match = /(\d+):(\d+): parse error/.exec(message);
  if (match === null) return [];
  const line = expr.split('\n')[Number(match[1]) - 1];
  if (line === undefined) return [];
  // Tabs stay tabs, so that the caret stands right.
  const indent = line.slice(0, Number(match[2]) - 1).replace(/[^\t]/g, ' ');
  return [`  ${line}`, `  ${indent.padEnd(Number(match[2]) - 1)}^`];
}

const BARS = '▁▂▃▄▅▆▇█';
const TREND_WIDTH = 24;

/** The course of a range as a row of bars, from its least to its greatest value. */
function trend(values: readonly number[]): string {
  const finite = values.filter(Number.isFinite);
  const [least, most] = [Math.min(...finite), Math.max(...finite)];
  const width = Math.min(TREND_WIDTH, finite.length);
  let bars = '';
  for (let at = 0; at < width; at++) {
    const part = finite.slice(
      Math.floor((at * finite.length) / width),
      Math.floor(((at + 1) * finite.length) / width),
    );
    const height = most === least ? 0 : (Math.max(...part) - least) / (most - least);
    bars += BARS[Math.round(height * (BARS.length - 1))];
  }
  return bars;
}

/** All columns but the last two are numbers, aligned on the right. */
function table(rows: readonly (readonly string[])[]): string[] {
  if (rows.length === 1) return [];
  const widths = rows[0]!.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)));
  const isText = (at: number): boolean => ['TREND', 'SERIES'].includes(rows[0]![at]!);
  return rows.map((row) =>
    row
      .map((cell, at) => (isText(at) ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!)))
      .join('  ')
      .trimEnd(),
  );
}

function toNumber(text: string): number {
  return Number(text.replace('Inf', 'Infinity'));
}

function short(value: number): string {
  return Number.isFinite(value)
    ? String(Number(value.toPrecision(6)))
    : String(value).replace('Infinity', 'Inf');
}
