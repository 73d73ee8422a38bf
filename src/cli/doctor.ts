import { type Config, loadConfig } from '../config/config.ts';
import { type ConfigLine, describe } from '../config/describe.ts';
import { TaskwardenError } from '../model/errors.ts';
import { NODE_VERSIONS } from '../model/node-versions.ts';
import { VERSION } from '../model/package.ts';
import { satisfies } from '../model/version.ts';
import { findInstalled, type Installed, type Supported, versionFor } from './installed.ts';
import { type ExitCode, FINE, FOUND, type Io } from './io.ts';

/** What `doctor --json` prints, as one line. */
export interface Diagnosis {
  readonly version: string;
  readonly node: string;
  /** The configuration file that was read. */
  readonly file: string | undefined;
  /** Empty when the configuration cannot be used. */
  readonly config: readonly ConfigLine[];
  readonly libraries: readonly Installed[];
  /** What should be changed; the command exits with 1 when there is any. */
  readonly problems: readonly string[];
  readonly notes: readonly string[];
}

export interface DoctorOptions {
  readonly json: boolean;
  readonly supported: readonly Supported[];
  /** @throws TaskwardenError when rule files cannot be used. */
  readonly checkRules: (patterns: readonly string[], cwd: string) => void;
}

/** Queues whose handlers are runs where the application says so. */
const QUEUES = ['bull', 'bee-queue', 'node-resque', 'agenda', 'pg-boss', 'graphile-worker'];

/** Prints the effective configuration, and which libraries of the project in the working folder will be instrumented. */
export function doctor(io: Io, options: DoctorOptions): ExitCode {
  const diagnosis = diagnose(io, options);
  if (options.json) io.out(JSON.stringify(diagnosis));
  else print(io, diagnosis);
  return diagnosis.problems.length === 0 ? FINE : FOUND;
}

function diagnose({ cwd, env }: Io, { supported, checkRules }: DoctorOptions): Diagnosis {
  const node = process.versions.node;
  const libraries = findInstalled(cwd, supported);
  const problems = satisfies(node, NODE_VERSIONS)
    ? []
    : [`Node.js ${node} is too old: Taskwarden needs ${NODE_VERSIONS}`];
  const config = attempt(() => loadConfig({ env, cwd }), problems);
  if (config?.enabled === true) attempt(() => checkRules(config.rules, cwd), problems);
  problems.push(...(config?.warnings ?? []));
  for (const { name, versions, found, instrumented } of libraries)
    if (found !== undefined && !instrumented)
      problems.push(`found ${name} ${found}, supported ${versions}: not instrumented`);
  return {
    version: VERSION,
    node,
    file: config?.file,
    config: config === undefined ? [] : describe(config),
    libraries,
    problems,
    notes: [...notesOn(config, libraries), ...notesOnQueues(cwd)],
  };
}

function attempt<Value>(act: () => Value, problems: string[]): Value | undefined {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof TaskwardenError)) throw error;
    problems.push(error.message);
    return undefined;
  }
}

function notesOn(config: Config | undefined, libraries: readonly Installed[]): string[] {
  const notes = [];
  if (config?.enabled === false) notes.push('Taskwarden is switched off: the preload does nothing');
  else if (config?.otel.disabled === true) notes.push('OTEL_SDK_DISABLED is true: the preload does nothing');
  if (libraries.every(({ found }) => found === undefined))
    notes.push(`none of ${libraries.map(({ name }) => name).join(', ')} is installed here`);
  if (process.platform !== 'linux')
    notes.push(
      `crashes: on ${process.platform} a dead worker is known only while no other process has its number, and limits of taskwarden run reach Node.js alone`,
    );
  return notes;
}

function notesOnQueues(cwd: string): string[] {
  const found = QUEUES.filter((name) => versionFor(cwd, name) !== undefined);
  if (found.length === 0) return [];
  return [`handlers of ${found.join(', ')} are not instrumented: make them runs with task() of taskwarden`];
}

function print(
  { cwd, out }: Io,
  { version, node, file, config, libraries, problems, notes }: Diagnosis,
): void {
  out(`taskwarden ${version}, Node.js ${node}`);
  if (config.length > 0) {
    out(`\nConfiguration${file === undefined ? '' : ` (${file})`}`);
    const width = Math.max(...config.map(({ option }) => option.length));
    for (const { option, value, source, variable } of config) {
      const where =
        source === 'env' && variable !== option ? `  (${variable})` : source === 'file' ? '  (file)' : '';
      out(`  ${option.padEnd(width)}  ${value === '' ? '-' : value}${where}`);
    }
  }
  out(`\nLibraries of ${cwd}`);
  for (const { name, versions, found, instrumented } of libraries) {
    const state =
      found === undefined
        ? 'not installed'
        : `${found} ${instrumented ? 'instrumented' : 'NOT instrumented'}`;
    out(`  ${name} ${state} (supported: ${versions})`);
  }
  if (problems.length + notes.length > 0) out('');
  for (const problem of problems) out(`warning: ${problem}`);
  for (const note of notes) out(`note: ${note}`);
}
