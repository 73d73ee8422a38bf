import { parseArgs } from 'node:util';
import { VERSION } from '../model/package.ts';
import { type ExitCode, FINE, type Io, WRONG_USE } from './io.ts';

const USAGE = `Usage:
  taskwarden doctor [--json]               effective configuration, and what will be instrumented here
  taskwarden rules check|test|fmt|export   Prometheus rule files; more: taskwarden rules --help
  taskwarden query EXPR                    asks the HTTP API of a running agent; more: taskwarden query --help
  taskwarden run -- COMMAND                runs a worker, tells of its death; more: taskwarden run --help
  taskwarden watch --redis URL...          watches the queues of a Redis; more: taskwarden watch --help
  taskwarden --version
  taskwarden --help

Exit codes: 0 all is well, 1 something was found, 2 wrong use.`;

/** Runs the command that the arguments name. What a command needs is loaded for it alone. */
export async function runCommand(args: readonly string[], io: Io): Promise<ExitCode> {
  if (args[0] === 'query') {
    const { runQuery } = await import('./query.ts');
    return runQuery(io, args.slice(1), (message, usage) => wrongUse(io, message, usage));
  }
  if (args[0] === 'rules') {
    const { runRules } = await import('./rules.ts');
    return runRules(io, args.slice(1), (message, usage) => wrongUse(io, message, usage));
  }
  if (args[0] === 'run') {
    const { runRun } = await import('./run.ts');
    return runRun(io, args.slice(1), (message, usage) => wrongUse(io, message, usage));
  }
  if (args[0] === 'watch') {
    const { runWatch } = await import('./watch.ts');
    return runWatch(io, args.slice(1), (message, usage) => wrongUse(io, message, usage));
  }
  const parsed = parse(args);
  if (typeof parsed === 'string') return wrongUse(io, parsed);
  const { values, positionals } = parsed;
  if (values.help) {
    io.out(USAGE);
    return FINE;
  }
  if (values.version) {
    io.out(VERSION);
    return FINE;
  }
  const json = values.json === true;
  const [command, subcommand] = positionals;
  if (command === 'doctor') {
    if (subcommand !== undefined) return wrongUse(io, `doctor takes no argument "${subcommand}"`);
    return runDoctor(io, json);
  }
  return wrongUse(io, command === undefined ? 'a command is missing' : `unknown command "${command}"`);
}

async function runDoctor(io: Io, json: boolean): Promise<ExitCode> {
  const [{ doctor }, { LIBRARIES }, { compile }, { loadRuleFiles }] = await Promise.all([
    import('./doctor.ts'),
    import('../instrument/list.ts'),
    import('../promql/promql.ts'),
    import('../rules/load.ts'),
  ]);
  const supported = LIBRARIES.map(({ name, versions }) => ({ name, versions }));
  const checkRules = (patterns: readonly string[], cwd: string): void =>
    void loadRuleFiles(patterns, compile, cwd);
  return doctor(io, { json, supported, checkRules });
}

const OPTIONS = {
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const;

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    return (error as Error).message;
  }
}

function wrongUse(io: Io, message: string, usage = USAGE): ExitCode {
  io.err(`taskwarden: ${message}\n\n${usage}`);
  return WRONG_USE;
}
