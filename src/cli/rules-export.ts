import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { type Config, loadConfig } from '../config/config.ts';
import { VERSION } from '../model/package.ts';
import { LINTS, type LintName } from '../rules/lint/finding.ts';
import { readRuleNodes } from '../rules/rule-nodes.ts';
import { shippedRules } from '../rules/shipped.ts';
import { isThreshold } from '../rules/thresholds.ts';
import { withoutThresholds } from '../rules/without-thresholds.ts';
import { type ExitCode, FINE, FOUND, type Io } from './io.ts';
import { printErrors, type ReadFile, readRuleFiles } from './rule-files.ts';
import { lintFiles, printFindings } from './rule-lints.ts';
import { durationOption, parseOptions, UseError, versionOption } from './use.ts';

export const USAGE = `Usage:
  taskwarden rules export --out DIR [--min-prometheus VERSION] [--step STEP] [FILE...]

Writes the rule files that a Prometheus, Mimir or Thanos ruler should load: the FILEs, or else what the agent would load
here, shipped rules and those of the configuration. What only the agent understands stands in annotations, which Prometheus
carries along.

  --out DIR                 where to; files that are there and are no exports are never written over
  --min-prometheus VERSION  the oldest Prometheus that is to load the files; default 2.42. Files that need a newer one are
                            told and nothing is written
  --step STEP               time between two samples in that Prometheus; default: OTEL_METRIC_EXPORT_INTERVAL

Exit codes: 0 written, 1 a file cannot be exported, 2 wrong use.`;

const OPTIONS = {
  out: { type: 'string' },
  'min-prometheus': { type: 'string', default: '2.42' },
  step: { type: 'string' },
} as const;

/** The first line of every export begins so. */
const MARK = '# Exported by taskwarden';

/** Writes rule files for Prometheus. */
export function run(io: Io, args: readonly string[]): ExitCode {
  const { values, positionals } = parseOptions(args, OPTIONS);
  if (values.out === undefined) throw new UseError('rules export needs --out DIR');
  const minPrometheus = versionOption('--min-prometheus', values['min-prometheus']);
  const config = loadConfig({ env: io.env, cwd: io.cwd });
  const stepMs =
    values.step === undefined ? config.otel.metricExportInterval : durationOption('--step', values.step);
  const { files, unmatched } = readRuleFiles(io, positionals.length > 0 ? positionals : patternsOf(config));
  const broken = files.filter(({ errors }) => errors.length > 0);
  for (const file of broken) printErrors(io, file);
  if (broken.length > 0 || unmatched.length > 0) return FOUND;

  const lints = new Set(Object.keys(LINTS) as LintName[]);
  const findings = lintFiles(io, files, { lints, stepMs, minPrometheus });
  for (const file of files) {
    const own = findings.filter((finding) => finding.file === file.file);
    printFindings(io, file, own.filter(isFatal), 'error');
    printFindings(
      io,
      file,
      own.filter((finding) => !isFatal(finding)),
      'warning',
    );
  }
  const folder = resolve(io.cwd, values.out);
  const obstacles = obstaclesTo(files, folder, values.out);
  for (const obstacle of obstacles) io.err(obstacle);
  if (findings.some(isFatal) || obstacles.length > 0) return FOUND;
  write(io, settled(files), folder, values.out, minPrometheus);
  return FINE;
}

function isFatal({ lint }: { lint: LintName }): boolean {
  return lint === 'min-prometheus';
}

function patternsOf(config: Config): string[] {
  const own = config.rules.map((pattern) => resolve(config.cwd, pattern));
  return [...(config.shippedRules ? [shippedRules()] : []), ...own];
}

/** A Prometheus would record a threshold of two files twice, so only the last file keeps it, which is the one that counts here. */
function settled(files: readonly ReadFile[]): ReadFile[] {
  const later = new Set<string>();
  const kept = files.toReversed().map((file) => {
    const text = withoutThresholds(file.text, later);
    const rules = readRuleNodes(text, file.file).groups.flatMap((group) => group.rules);
    for (const rule of rules) if (isThreshold(rule)) later.add(rule.name);
    return { ...file, text, rules: rules.length };
  });
  return kept.reverse();
}

/** What a file is called in the folder: a shipped one makes way for one of the same name. */
function nameOf(file: string, files: readonly ReadFile[]): string {
  const name = basename(file);
  const isTaken = files.some((other) => other.file !== file && basename(other.file) === name);
  return isTaken && dirname(file) === dirname(shippedRules()) ? `taskwarden-${name}` : name;
}

function write(io: Io, files: readonly ReadFile[], folder: string, out: string, version: string): void {
  mkdirSync(folder, { recursive: true });
  const written = new Set<string>();
  for (const { file, text, rules } of files) {
    const name = nameOf(file, files);
    const head = `${MARK} ${VERSION} from ${name}, for Prometheus ${version} or later. The next export writes over changes.`;
    writeFileSync(join(folder, name), `${head}\n${text.replace(/^\uFEFF/, '')}`);
    written.add(name);
    io.out(`${join(out, name)}: ${rules} ${rules === 1 ? 'rule' : 'rules'}`);
  }
  for (const name of readdirSync(folder).sort())
    if (!written.has(name) && isExport(join(folder, name)))
      io.err(`${join(out, name)}: note: from an earlier export, and not part of this one`);
}

/** Why files cannot be written there. */
function obstaclesTo(files: readonly ReadFile[], folder: string, out: string): string[] {
  const names = new Map<string, string>();
  const obstacles: string[] = [];
  for (const { file } of files) {
    const name = nameOf(file, files);
    const other = names.get(name);
    if (other !== undefined)
      obstacles.push(`${file}: ${other} has the same name, and would be exported to the same file`);
    names.set(name, file);
    const path = join(folder, name);
    if (existsSync(path) && !isExport(path))
      obstacles.push(
        `${join(out, name)}: is there already and is no export; remove it, or name another folder`,
      );
  }
  return obstacles;
}

function isExport(path: string): boolean {
  return path.endsWith('.yaml') || path.endsWith('.yml')
    ? readFileSync(path, 'utf8').startsWith(MARK)
    : false;
}
