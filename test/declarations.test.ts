import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { declarations } from '../scripts/declarations.ts';

const ROOT = resolve(import.meta.dirname, '..');
const tsc = resolve(ROOT, 'node_modules/typescript/bin/tsc');
/** Far from our own node_modules, as a user's project is. */
const project = mkdtempSync(join(tmpdir(), 'taskwarden-'));
const installed = join(project, 'node_modules/taskwarden');

before(() => {
  declarations(join(installed, 'dist/types'));
  copyFileSync(join(ROOT, 'package.json'), join(installed, 'package.json'));
  copyFileSync(join(ROOT, 'test/fixtures/types/consumer.ts'), join(project, 'consumer.ts'));
  mkdirSync(join(project, 'node_modules/@types'));
  symlinkSync(join(ROOT, 'node_modules/@types/node'), join(project, 'node_modules/@types/node'));
  writeFileSync(join(project, 'package.json'), '{"type":"module"}');
});

after(() => rmSync(project, { recursive: true, force: true }));

function compile(module: string, moduleResolution: string, file = 'consumer.ts'): string {
  const compilerOptions = {
    ...{ module, moduleResolution, target: 'es2023', types: ['node'] },
    ...{ strict: true, noEmit: true, skipLibCheck: false },
  };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [file] }));
  return spawnSync(process.execPath, [tsc, '-p', project], { encoding: 'utf8' }).stdout;
}

test('declarations compile in a project that has no more than the types of Node.js, whatever finds them', () => {
  assert.equal(compile('nodenext', 'nodenext'), '');
  assert.equal(compile('esnext', 'bundler'), '');
});

test('CommonJS in TypeScript may import them', () => {
  const code =
    "import { task } from 'taskwarden';\nimport 'taskwarden/register';\nexport const same = task('same', (a: 1) => a)(1);";
  writeFileSync(join(project, 'consumer.cts'), code);
  assert.equal(compile('node16', 'node16', 'consumer.cts'), '');
});

test('what no entry reaches is not published', () => {
  const names = globSync('**/*.d.*ts', { cwd: installed });
  assert.ok(names.length > 5);
  for (const name of names) assert.doesNotMatch(name, /types\/(agent|main|sdk|instrument)\//);
});

test('what a handler must be says nothing of its this, which TypeScript before 6 gives to function expressions', () => {
  assert.doesNotMatch(readFileSync(join(installed, 'dist/types/index.d.ts'), 'utf8'), /\(this: /);
});
