import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { splitAddress } from '../config/address.ts';
import { loadConfig } from '../config/config.ts';
import { type ExitCode, FINE, FOUND, type Io } from './io.ts';
import { parseQuery, QUERY_USAGE, type QueryArguments, type QueryAsked } from './query-arguments.ts';
import { caret, linesOf, type QueryData } from './query-output.ts';

interface Target {
  /** Without a slash at its end. */
  readonly url: string;
  /** '' where none is sent. */
  readonly token: string;
}

interface Envelope {
  readonly status: 'success' | 'error';
  readonly data?: QueryData;
  readonly error?: string;
  readonly warnings?: readonly string[];
  readonly infos?: readonly string[];
}

const DEFAULT_URL = 'http://127.0.0.1:9464';
const TIMEOUT_MS = 30_000;

/** `taskwarden query`: `args` are what follows these words. */
export async function runQuery(
  io: Io,
  args: readonly string[],
  wrongUse: (message: string, usage: string) => ExitCode,
): Promise<ExitCode> {
  let parsed: QueryArguments;
  let target: Target;
  try {
    parsed = parseQuery(args, Date.now());
    if (parsed.help) {
      io.out(QUERY_USAGE);
      return FINE;
    }
    target = targetOf(io, parsed);
  } catch (error) {
    return wrongUse((error as Error).message, QUERY_USAGE);
  }
  const answer = await ask(target, parsed.asked);
  for (const warning of answer.warnings ?? []) io.err(`warning: ${warning}`);
  for (const info of answer.infos ?? []) io.err(`info: ${info}`);
  if (answer.data === undefined) {
    const message = answer.error ?? 'no data';
    const { expr } = parsed.asked;
    io.err(
      [`taskwarden: ${message.replace(/^invalid parameter "query": /, '')}`, ...caret(expr, message)].join(
        '\n',
      ),
    );
    return FOUND;
  }
  if (parsed.json) io.out(JSON.stringify(answer.data));
  else print(io, answer.data);
  return FINE;
}

function print(io: Io, data: QueryData): void {
  const lines = linesOf(data);
  if (lines.length > 0) io.out(lines.join('\n'));
  else io.err('no series');
}

/** A token of the configuration goes to the address of the configuration alone. @throws Error for what cannot be used */
function targetOf({ cwd, env }: Io, { url, tokenFile }: QueryArguments): Target {
  const given = tokenFile === undefined ? undefined : readFileSync(resolve(cwd, tokenFile), 'utf8').trim();
  if (url !== undefined) {
    const full = /^https?:\/\//i.test(url) ? url : `http://${url}`;
    if (!URL.canParse(full)) throw new Error(`--url: "${url}" is no URL`);
    return { url: full.replace(/\/+$/, ''), token: given ?? '' };
  }
  const { http, httpToken } = loadConfig({ env, cwd });
  const token = given ?? httpToken;
  if (http === '') return { url: DEFAULT_URL, token };
  const { host, port } = splitAddress(http);
  if (port === 0)
    throw new Error(`http: "${http}" lets each worker choose its port: --url must name the one meant`);
  return { url: `http://${reachable(host)}:${port}`, token };
}

/** An address at which a server listens everywhere is none to connect to. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}

async function ask({ url, token }: Target, asked: QueryAsked): Promise<Envelope> {
  const form = new URLSearchParams({ query: asked.expr });
  for (const [name, ms] of Object.entries(asked))
    if (typeof ms === 'number') form.set(name, String(ms / 1000));
  try {
    const response = await fetch(`${url}/api/v1/${'time' in asked ? 'query' : 'query_range'}`, {
      method: 'POST',
      body: form,
      headers: token === '' ? {} : { Authorization: `Bearer ${token}` },
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const body = await response.text();
    return (
      envelope(body) ?? {
        status: 'error',
        error: `${url} is no Prometheus HTTP API: status ${response.status}`,
      }
    );
  } catch (error) {
    const { message, cause } = error as Error;
    const reason = cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code : message;
    const hint = 'a worker opens it with TASKWARDEN_HTTP=127.0.0.1:9464 in its environment';
    return { status: 'error', error: `no answer from ${url}: ${reason}; ${hint}` };
  }
}

function envelope(body: string): Envelope | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === 'object' && parsed !== null && 'status' in parsed
      ? (parsed as Envelope)
      : undefined;
  } catch {
    return undefined;
  }
}
