import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { lazyBuiltins } from '../scripts/lazy-builtins.ts';

const DIST = resolve(import.meta.dirname, '../dist');

test('no bundle imports a module of Node.js, which would read all that it exports', () => {
  const files = readdirSync(DIST).filter((name) => name.endsWith('.js'));
  assert.ok(files.length > 10);
  for (const name of files) {
    const code = readFileSync(join(DIST, name), 'utf8');
    assert.doesNotMatch(code, /(^|[;\n])import[^;"'()]*from\s*["']node:|\bimport\(["']node:/, name);
  }
});

test('what cannot require an ES module, as an old Node.js or Jest, gets the same', async () => {
  const require = createRequire(import.meta.url);
  const names = Object.keys(require(join(DIST, 'index.cjs'))).sort();
  assert.deepEqual(names, Object.keys(await import(join(DIST, 'index.js'))).sort());
  const program = "console.log(Symbol.for('taskwarden.running') in globalThis)";
  const args = ['--require', join(DIST, 'register.cjs'), '-e', program];
  const env = { TASKWARDEN_STATE_DIR: 'off', OTEL_METRICS_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'none' };
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env });
  assert.deepEqual([stdout, stderr], ['true\n', '']);
});

test('what a bundle binds is what its imports bound', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'taskwarden-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'bundle.mjs');
  const imports = [
    'import{sep as s,posix}from"node:path";import*as o from"node:os";import u,{inspect as $i}from"util";',
    "import fs from 'node:fs';",
    'import { own } from "./own.mjs";',
  ];
  const body = `const { request } = await import("http");
console.log(s, typeof posix, typeof o.hostname, typeof u.format, $i(1), typeof fs.statSync, own, typeof request,
  process.moduleLoadList.some((name) => name.endsWith('undici')));`;
  writeFileSync(join(folder, 'own.mjs'), 'export const own = "import{a}from\\"node:fs\\"";');
  writeFileSync(file, [...imports, body].join('\n'));
  lazyBuiltins(file);
  const { stdout, stderr } = spawnSync(process.execPath, [file], { encoding: 'utf8' });
  assert.equal(stderr, '');
  assert.equal(stdout, '/ object function function 1 function import{a}from"node:fs" function false\n');
});
