import { parseArgs } from 'node:util';
import { parseTime } from '../api/parameters.ts';
import { parseDuration } from '../model/duration.ts';

export const QUERY_USAGE = `Usage:
  taskwarden query [--url URL] [--token-file FILE] [--json] EXPR [--time T]
  taskwarden query [--url URL] [--token-file FILE] [--json] EXPR --start T [--end T] [--step STEP]

Asks the HTTP API of a running agent, or any Prometheus, at a moment or over a range.

  --url URL          default: where the configuration here says that the agent listens, else http://127.0.0.1:9464
  --token-file FILE  holds the token that the API wants; default without --url: what the configuration here says
  --time T           the moment: seconds since the Unix epoch, RFC 3339, now or now-15m; default: now
  --start, --end T   the range; --end is now where it is left out
  --step STEP        such as 15s; default: a 250th of the range, at least 1s
  --json             prints the answer's data as one line of JSON

Exit codes: 0 answered, 1 not answered (no agent there, a mistake in the expression, a limit), 2 wrong use.`;

/** What is asked. Times in ms since the Unix epoch, the step in ms. */
export type QueryAsked = { readonly expr: string } & (
  | { readonly time: number }
  | { readonly start: number; readonly end: number; readonly step: number }
);

export interface QueryArguments {
  readonly help: boolean;
  readonly json: boolean;
  readonly url: string | undefined;
  readonly tokenFile: string | undefined;
  readonly asked: QueryAsked;
}

const OPTIONS = {
  url: { type: 'string' },
  'token-file': { type: 'string' },
  json: { type: 'boolean' },
  time: { type: 'string' },
  start: { type: 'string' },
  end: { type: 'string' },
  step: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** @throws Error that says what is wrong with the arguments */
export function parseQuery(args: readonly string[], now: number): QueryArguments {
  const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  const { help = false, json = false, url, 'token-file': tokenFile } = values;
  const [expr = '', ...more] = positionals;
  if (more.length > 0) throw new Error(`query takes one expression; quote it: "${positionals.join(' ')}"`);
  if (expr.trim() === '' && !help) throw new Error('query needs an expression');
  return { help, json, url, tokenFile, asked: { expr, ...timesOf(values, now) } };
}

type Times = Partial<Readonly<Record<'time' | 'start' | 'end' | 'step', string>>>;

function timesOf({ time, start, end, step }: Times, now: number) {
  const isRange = start !== undefined || end !== undefined || step !== undefined;
  if (!isRange) return { time: moment('--time', time ?? 'now', now) };
  if (time !== undefined) throw new Error('--time asks at a moment, --start, --end and --step over a range');
  if (start === undefined) throw new Error('a range needs --start');
  const range = { start: moment('--start', start, now), end: moment('--end', end ?? 'now', now) };
  if (range.end < range.start) throw new Error('--end must not be before --start');
  const usual = Math.max(1, Math.floor((range.end - range.start) / 250_000)) * 1000;
  const ms = step === undefined ? usual : (parseDuration(step) ?? Number(step) * 1000);
  if (!(ms >= 1)) throw new Error(`--step: "${step}" is no duration such as 15s`);
  return { ...range, step: Math.round(ms) };
}

function moment(option: string, text: string, now: number): number {
  const ago = /^now(?:-(.+))?$/.exec(text);
  const ms =
    ago === null ? parseTime(text) : ago[1] === undefined ? now : now - (parseDuration(ago[1]) ?? Number.NaN);
  if (ms === undefined || Number.isNaN(ms))
    throw new Error(
      `${option}: "${text}" is no time: seconds since the Unix epoch, RFC 3339, now or now-15m`,
    );
  return ms;
}
