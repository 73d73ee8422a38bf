import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join, resolve } from 'node:path';

/**
 * Programs of the field that no package registry of ours has: built once from their Go modules into a cache folder
 * (`$XDG_CACHE_HOME/taskwarden` or `~/.cache/taskwarden`), a few minutes each on two cores.
 */
const COLLECTOR_VERSION = 'v0.155.0';
const PROMETHEUS_VERSION = 'v0.316.0';
const MANIFEST = resolve(import.meta.dirname, '../interop/collector/manifest.yaml');

const ASYNQ = resolve(import.meta.dirname, '../interop/asynq');

const COLLECTOR = `otelcol-${COLLECTOR_VERSION}`;
const PROMETHEUS = `prometheus-${PROMETHEUS_VERSION}`;

/** Why the programs cannot be had here, or false when they can: fit for the `skip` option of a test. */
export function goMissing(): string | false {
  if ([COLLECTOR, PROMETHEUS].every((name) => existsSync(join(cache(), name)))) return false;
  return goPresent() ? false : 'Go is not installed, so the collector and Prometheus 3 cannot be built';
}

/** Path of an OpenTelemetry collector with the components that otel-collector.yaml uses. */
export async function collectorBinary(): Promise<string> {
  const folder = await built(COLLECTOR, async (work) => {
    await cp(MANIFEST, join(work, 'manifest.yaml'));
    const builder = `go.opentelemetry.io/collector/cmd/builder@${COLLECTOR_VERSION}`;
    await go(work, ['run', builder, '--config=manifest.yaml']);
    return join(work, 'dist');
  });
  return join(folder, 'otelcol');
}

/** A Prometheus 3 that was built before; undefined where there is none. */
export function builtPrometheus3(): { path: string; version: string } | undefined {
  const path = join(cache(), PROMETHEUS, 'prometheus');
  // Module v0.316.0 is release 3.16.0.
  const version = PROMETHEUS_VERSION.replace(/^v0\.(\d)0?(\d+)/, '$1.$2');
  return existsSync(path) ? { path, version } : undefined;
}

/** Paths of Prometheus 3 and its promtool, without web page and service discoveries. */
export async function prometheus3Binaries(): Promise<{ prometheus: string; promtool: string }> {
  const folder = await built(PROMETHEUS, async (work) => {
    const module = 'github.com/prometheus/prometheus/cmd';
    const programs = [`${module}/prometheus`, `${module}/promtool`];
    await go(work, ['mod', 'init', 'taskwarden.test/prometheus']);
    // `go install module@version` refuses a module with replace directives, a module that requires it does not.
    await go(work, ['get', ...programs.map((program) => `${program}@${PROMETHEUS_VERSION}`)]);
    await mkdir(join(work, 'dist'));
    await go(work, ['build', '-tags', 'remove_all_sd', '-o', 'dist/', ...programs]);
    return join(work, 'dist');
  });
  return { prometheus: join(folder, 'prometheus'), promtool: join(folder, 'promtool') };
}

/** Path of Prometheus 3's promtool where it has been built already; for quick tests, which build nothing. */
export function promtool3Built(): string | undefined {
  const path = join(cache(), PROMETHEUS, 'promtool');
  return existsSync(path) ? path : undefined;
}

/** Folders below test/interop/asynq, each a Go module of one program. */
const ASYNQ_PROGRAMS = {
  asynq: '.',
  'asynq-0.18': 'v0.18',
  'asynq-example': '../../../examples/asynq',
} as const;

/** Why asynq's programs cannot be had here, or false when they can. */
export function asynqMissing(): string | false {
  return goPresent() ||
    Object.keys(ASYNQ_PROGRAMS).every((name) => existsSync(join(cache(), asynqFolder(name))))
    ? false
    : 'Go is not installed, so workers of asynq cannot be built';
}

/** Path of a program of test/interop/asynq: the worker, client and inspector of asynq 0.26, or a worker of 0.18. */
export async function asynqBinary(name: keyof typeof ASYNQ_PROGRAMS): Promise<string> {
  const folder = await built(asynqFolder(name), async (work) => {
    await cp(join(ASYNQ, ASYNQ_PROGRAMS[name]), join(work, 'source'), { recursive: true });
    await go(join(work, 'source'), ['build', '-o', join(work, 'dist', name), '.']);
    return join(work, 'dist');
  });
  return join(folder, name);
}

/** A name that changes with the sources. */
function asynqFolder(name: string): string {
  const folder = join(ASYNQ, ASYNQ_PROGRAMS[name as keyof typeof ASYNQ_PROGRAMS]);
  const hash = createHash('sha256');
  for (const file of readdirSync(folder).sort()) {
    if (/\.go$|^go\./.test(file)) hash.update(file).update(readFileSync(join(folder, file)));
  }
  return `${name}-${hash.digest('hex').slice(0, 12)}`;
}

/** The cached folder of that name; `make` builds in a scratch folder and names the part of it to keep. */
async function built(name: string, make: (work: string) => Promise<string>): Promise<string> {
  const folder = join(cache(), name);
  if (existsSync(folder)) return folder;
  await mkdir(cache(), { recursive: true });
  const work = await mkdtemp(join(cache(), `${name}.build-`));
  try {
    const result = await make(work);
    await rename(result, folder).catch((error: NodeJS.ErrnoException) => {
      // Another process was faster: its build is as good.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
    return folder;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function cache(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'taskwarden');
}

/** Whether the Go tool can be run. */
function goPresent(): boolean {
  const found = spawnSync('go', ['version'], { stdio: 'ignore' });
  return found.error === undefined && found.status === 0;
}

/** Runs the Go tool at low priority; rejects with the end of its output when it fails. */
function go(cwd: string, args: readonly string[]): Promise<void> {
  return new Promise((fulfil, reject) => {
    const child = spawn('nice', ['-n', '15', 'go', ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (chunk: Buffer) => {
      output = (output + chunk).slice(-4000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) fulfil();
      else reject(new Error(`go ${args[0]} in ${basename(cwd)} ended with ${code}:\n${output}`));
    });
  });
}
