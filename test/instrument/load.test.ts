import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire, Module } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { LIBRARIES } from '../../src/instrument/list.ts';
import { watchModules } from '../../src/instrument/load.ts';
import { mainSide } from '../helpers/main-side.ts';

const root = mkdtempSync(join(tmpdir(), 'taskwarden-load-'));
after(() => rmSync(root, { recursive: true, force: true }));

const COPIES: Record<string, string[]> = {
  bullmq: ['bullmq', 'bullmq5'],
  opossum: ['opossum'],
  'pg-pool': ['pg-pool'],
  '@opentelemetry/api': ['@opentelemetry/api'],
};

test('every file in the list is in every version that the tests run against', () => {
  for (const { name, targets } of LIBRARIES) {
    for (const folder of COPIES[name] ?? assert.fail(`no copy of ${name} is installed`)) {
      for (const file of targets.flatMap(({ files }) => files)) {
        const url = new URL(`../../node_modules/${folder}/${file}`, import.meta.url);
        assert.ok(existsSync(url), `${folder}/${file}`);
      }
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
  const watched = watchModules({
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
  const watched = watchModules({
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
    const watched = watchModules({
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
