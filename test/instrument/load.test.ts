import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire, Module } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { LIBRARIES } from '../../src/instrument/list.ts';
import { Modules } from '../../src/instrument/load.ts';
import { satisfies } from '../../src/model/version.ts';
import { mainSide } from '../helpers/main-side.ts';

const root = mkdtempSync(join(tmpdir(), 'taskwarden-load-'));
after(() => rmSync(root, { recursive: true, force: true }));

const COPIES: Record<string, string[]> = {
  bullmq: ['bullmq', 'bullmq5'],
  opossum: ['opossum'],
  'pg-pool': ['pg-pool'],
  '@opentelemetry/api': ['@opentelemetry/api', 'opentelemetry-api-1.10'],
};

test('every file in the list is in every version that the tests run against', () => {
  for (const { name, targets } of LIBRARIES) {
    for (const folder of COPIES[name] ?? assert.fail(`no copy of ${name} is installed`)) {
      const at = (file: string): URL => new URL(`../../node_modules/${folder}/${file}`, import.meta.url);
      const { version } = JSON.parse(readFileSync(at('package.json'), 'utf8')) as { version: string };
      const there = targets.filter(({ versions = '>=0' }) => satisfies(version, versions));
      assert.ok(there.length > 0, `${folder} ${version}`);
      for (const file of there.flatMap(({ files }) => files))
        assert.ok(existsSync(at(file)), `${folder}/${file}`);
    }
  }
});

/** A package that has the one class which is patched. */
function fakeBullMq(folder: string, version: string, esm: boolean): string {
  const file = join(root, folder, `node_modules/bullmq/dist/${esm ? 'esm' : 'cjs'}/classes/worker.js`);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(
    join(root, folder, 'node_modules/bullmq/package.json'),
    JSON.stringify({ name: 'bullmq', version }),
  );
  const methods = 'callProcessJob(job, token) { return this.processFn(job, token); } createJob() {}';
  writeFileSync(
    file,
    esm ? `export class Worker { ${methods} }` : `exports.Worker = class Worker { ${methods} };`,
  );
  return file;
}

interface Loaded {
  Worker: { prototype: { callProcessJob: { length: number; name: string } } };
}

test('classes are patched as they load, in CommonJS and ESM, listed, and as before after the end', async () => {
  const { tasks, sdk } = mainSide();
  const warnings: string[] = [];
  const faults: unknown[] = [];
  const watched = new Modules({
    host: { tasks, sdk },
    onError: (part, error) => faults.push([part, error]),
    warn: (text) => warnings.push(text),
  });
  const require = createRequire(import.meta.url);
  const cjs = fakeBullMq('cjs', '5.1.0', false);
  const esm = fakeBullMq('esm', '6.2.0', true);
  const old = fakeBullMq('old', '3.0.0', false);
  const loaded = [require(cjs), await import(pathToFileURL(esm).href)] as Loaded[];
  const untouched = require(old) as Loaded;
  const methods = () => loaded.map(({ Worker }) => Worker.prototype.callProcessJob);
  const patched = methods();
  for (const method of patched) {
    assert.deepEqual([method.name, method.length], ['callProcessJob', 2]);
    assert.ok(!String(method).includes('processFn'));
  }
  assert.ok(String(untouched.Worker.prototype.callProcessJob).includes('processFn'));
  assert.deepEqual(
    watched.instrumented.map(({ library, version, outcome }) => [library, version, outcome]),
    [
      ['bullmq', '5.1.0', 'instrumented'],
      ['bullmq', '6.2.0', 'instrumented'],
      ['bullmq', '3.0.0', 'unsupported version'],
    ],
  );
  assert.deepEqual(warnings, ['bullmq 3.0.0 is not instrumented: supported are >=5 <7']);
  assert.deepEqual(faults, []);
  watched.stop();
  for (const method of methods()) assert.ok(String(method).includes('processFn'));
  const later = require(fakeBullMq('later', '5.1.0', false)) as Loaded;
  assert.ok(String(later.Worker.prototype.callProcessJob).includes('processFn'));
});

test("an application's own file of that name is left alone, loaded before or after", () => {
  const { tasks, sdk } = mainSide();
  const faults: unknown[] = [];
  const require = createRequire(import.meta.url);
  const own = ['before', 'after'].map((folder) => {
    const file = join(root, folder, 'lib/circuit.js');
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, 'module.exports = class {};');
    return file;
  });
  require(own[0]!);
  const watched = new Modules({
    host: { tasks, sdk },
    onError: (part, error) => faults.push([part, error]),
    warn: () => {},
  });
  require(own[1]!);
  watched.stop();
  assert.deepEqual(
    watched.instrumented.filter(({ file }) => file.endsWith('circuit.js')),
    [],
  );
  assert.deepEqual(faults, []);
});

test('where load hooks would break the worker, CommonJS is patched all the same, imported or required, and no hook is set', async () => {
  const compile = (Module.prototype as unknown as { _compile: unknown })._compile;
  const { tasks, sdk } = mainSide();
  const faults: unknown[] = [];
  for (const node of ['22.17.1', '24.2.0']) {
    const watched = new Modules({
      host: { tasks, sdk },
      onError: (part, error) => faults.push([part, error]),
      warn: () => {},
      node,
    });
    assert.notEqual((Module.prototype as unknown as { _compile: unknown })._compile, compile);
    const imported = (await import(
      pathToFileURL(fakeBullMq(`imported ${node}`, '5.1.0', false)).href
    )) as Loaded;
    const required = createRequire(import.meta.url)(fakeBullMq(`required ${node}`, '5.1.0', false)) as Loaded;
    for (const { Worker } of [imported, required])
      assert.ok(!String(Worker.prototype.callProcessJob).includes('processFn'));
    watched.stop();
  }
  assert.equal((Module.prototype as unknown as { _compile: unknown })._compile, compile);
  assert.deepEqual(faults, []);
});

test('OpenTelemetry 1.10, whose files have other names, is found in CommonJS and ESM', async () => {
  const { tasks, sdk } = mainSide();
  const faults: unknown[] = [];
  const modules = new Modules({
    host: { tasks, sdk },
    onError: (part, error) => faults.push([part, error]),
    warn: () => {},
  });
  const folder = join(root, 'api/node_modules/@opentelemetry/api');
  cpSync(new URL('../../node_modules/opentelemetry-api-1.10', import.meta.url), folder, { recursive: true });
  createRequire(import.meta.url)(join(folder, 'dist/index.cjs'));
  await import(pathToFileURL(join(folder, 'dist/index.mjs')).href);
  modules.stop();
  assert.deepEqual(
    modules.instrumented
      .filter(({ file }) => file.includes('/api/'))
      .map(({ version, outcome }) => [version, outcome]),
    [
      ['1.10.0', 'instrumented'],
      ['1.10.0', 'instrumented'],
    ],
  );
  assert.deepEqual(faults, []);
});

test('a library that is there, and is not patched, is told once', async () => {
  const { tasks, sdk } = mainSide();
  const warnings: string[] = [];
  // Of what the tests before have loaded.
  const isOld = (text: string): boolean => text.startsWith('bullmq 3.0.0');
  const modules = new Modules({
    host: { tasks, sdk },
    onError: assert.fail,
    warn: (text) => {
      if (!isOld(text)) warnings.push(text);
    },
  });
  const require = createRequire(import.meta.url);
  const moved = join(root, 'moved/node_modules/opossum/dist/breaker.js');
  mkdirSync(join(moved, '..'), { recursive: true });
  writeFileSync(moved, 'module.exports = class {};');
  require(moved);
  const bundle = join(root, 'out.js');
  writeFileSync(
    bundle,
    'exports.x = class { callProcessJob() {} nextJobFromJobData() {} moveStalledJobsToWait() {} }; // minified',
  );
  require(bundle);
  assert.equal(warnings.length, 1);
  assert.match(
    warnings[0]!,
    /^bullmq is part of file:.*out\.js, where a bundler has put it, and is not instrumented/,
  );
  for (let look = 0; look < 4; look++) modules.check();
  assert.equal(warnings.length, 2);
  assert.match(warnings[1]!, /^opossum is loaded, but not from the files it is known by.*breaker\.js$/);
  modules.stop();
  assert.deepEqual(
    modules.instrumented
      .filter(({ file }) => file.includes('out.js') || file.includes('moved'))
      .map(({ outcome }) => outcome),
    ['bundled', 'unknown files'],
  );
});
