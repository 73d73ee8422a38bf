import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { pathToFileURL } from 'node:url';
import { REGISTER } from './built.ts';
import type { OtlpSink } from './otlp-sink.ts';
import type { RedisServer } from './redis.ts';

/** How a program gets the preload. */
export type Preload = 'import' | 'require' | 'NODE_OPTIONS' | 'none';

export interface ProgramOptions {
  /** Default: `import`. */
  readonly preload?: Preload;
  /** Runs it on the first CPU alone (taskset of util-linux). */
  readonly onOneCpu?: boolean;
  /** Options of Node.js before the preload, and after it. */
  readonly before?: readonly string[];
  readonly after?: readonly string[];
  readonly args?: readonly string[];
  /** Added to this process's environment, of which NODE_OPTIONS and all of OTEL_* and TASKWARDEN_* are left out. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where telemetry goes: sets OTEL_EXPORTER_OTLP_ENDPOINT. Without it nothing listens there. */
  readonly sink?: OtlpSink;
  /** Sets REDIS_URL. */
  readonly redis?: RedisServer;
  readonly cwd?: string;
  /** The program is killed after this time, ms. */
  readonly limitMs?: number;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** From the start of the process to its end. */
  readonly ms: number;
}

/** A running program. */
export interface Program {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Fulfils when standard output holds `text`; rejects, with all output, when the program ends before that. */
  said(text: string): Promise<void>;
  stdout(): string;
  stderr(): string;
  /** Writes a line to its standard input. */
  tell(line: string): void;
}

/** Runs a program with this process's Node.js and the preload; it is killed with this process. */
export function startProgram(file: string, options: ProgramOptions = {}): Program {
  const { preload = 'import', before = [], after = [], args = [], limitMs = 30_000 } = options;
  const url = pathToFileURL(REGISTER).href;
  const flags: Readonly<Record<Preload, readonly string[]>> = {
    import: ['--import', url],
    require: ['--require', REGISTER],
    NODE_OPTIONS: [],
    none: [],
  };
  const pinned = options.onOneCpu ? ['taskset', '-c', '0'] : [];
  const node = [process.execPath, ...before, ...flags[preload], ...after];
  const [command, ...rest] = [...pinned, ...node, file, ...args];
  const child = spawn(command!, rest, {
    cwd: options.cwd,
    env: {
      ...inherited(),
      ...(preload === 'NODE_OPTIONS' && { NODE_OPTIONS: `--import ${url}` }),
      OTEL_EXPORTER_OTLP_ENDPOINT: options.sink?.url ?? 'http://127.0.0.1:9',
      ...(options.redis && { REDIS_URL: options.redis.url }),
      ...options.env,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const started = performance.now();
  let stdout = '';
  let stderr = '';
  const watchers = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    for (const look of watchers) look();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin.on('error', () => {});
  const kill = (): void => void child.kill('SIGKILL');
  const timer = setTimeout(kill, limitMs);
  process.once('exit', kill);
  let ms = 0;
  // The time is that of the process's end: a grandchild may hold the pipes longer.
  child.once('exit', () => {
    ms = performance.now() - started;
  });
  const ended = once(child, 'close').then(([code, signal]): Ended => {
    clearTimeout(timer);
    process.off('exit', kill);
    for (const look of watchers) look();
    return { code, signal, stdout, stderr, ms };
  });
  return {
    child,
    ended,
    stdout: () => stdout,
    stderr: () => stderr,
    tell: (line) => void child.stdin.write(`${line}\n`),
    async said(text) {
      await new Promise<void>((done, failed) => {
        const look = (): void => {
          const isOver = child.exitCode !== null || child.signalCode !== null;
          if (!stdout.includes(text) && !isOver) return;
          watchers.delete(look);
          if (stdout.includes(text)) done();
          else failed(new Error(`ended before it said "${text}":\n${stdout}\n${stderr}`));
        };
        watchers.add(look);
        look();
      });
    },
  };
}

/** Runs a program to its end. */
export async function runProgram(file: string, options: ProgramOptions = {}): Promise<Ended> {
  const program = startProgram(file, options);
  program.child.stdin!.end();
  return program.ended;
}

function inherited(): NodeJS.ProcessEnv {
  const env = { ...process.env };
  for (const name of Object.keys(env))
    if (/^(OTEL_|TASKWARDEN_|NODE_OPTIONS$|NODE_TEST_CONTEXT$)/.test(name)) delete env[name];
  // Counting what is covered slows a program down. Were it absent, Node.js would pass it on.
  env.NODE_V8_COVERAGE = '';
  // A test must not go on with the alerts of the one before.
  env.TASKWARDEN_STATE_DIR = 'off';
  return env;
}
