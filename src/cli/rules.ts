import { TaskwardenError } from '../model/errors.ts';
import { type ExitCode, FINE, FOUND, type Io } from './io.ts';
import { UseError } from './use.ts';

/** One of the `rules` commands. */
interface RulesCommand {
  readonly USAGE: string;
  /** @throws UseError */
  readonly run: (io: Io, args: readonly string[]) => ExitCode;
}

const RULES_USAGE = `Usage:
  taskwarden rules check FILE...           errors and warnings in Prometheus rule files
  taskwarden rules test FILE...            runs tests of rules in promtool's format
  taskwarden rules fmt [--check] FILE...   lays out the expressions as Prometheus does
  taskwarden rules export --out DIR        the rule files that a Prometheus should load

A FILE may be a glob. More: taskwarden rules check --help, and so on.

Exit codes: 0 all is well, 1 something was found, 2 wrong use.`;

const COMMANDS: Readonly<Record<string, () => Promise<RulesCommand>>> = {
  check: () => import('./rules-check.ts'),
  test: () => import('./rules-test.ts'),
  fmt: () => import('./rules-fmt.ts'),
  export: () => import('./rules-export.ts'),
};

/** Runs the `rules` command that the arguments name. */
export async function runRules(
  io: Io,
  args: readonly string[],
  wrongUse: (message: string, usage: string) => ExitCode,
): Promise<ExitCode> {
  const [name = '', ...rest] = args;
  if (name === '--help' || name === '-h') {
    io.out(RULES_USAGE);
    return FINE;
  }
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (load === undefined) return wrongUse(`unknown command "${`rules ${name}`.trim()}"`, RULES_USAGE);
  const { USAGE, run } = await load();
  if (rest.includes('--help') || rest.includes('-h')) {
    io.out(USAGE);
    return FINE;
  }
  try {
    return run(io, rest);
  } catch (error) {
    if (error instanceof UseError) return wrongUse(error.message, USAGE);
    if (!(error instanceof TaskwardenError) && !isSystemError(error)) throw error;
    io.err(error.message);
    return FOUND;
  }
}

/** A file or folder that cannot be written; the message names it. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}
