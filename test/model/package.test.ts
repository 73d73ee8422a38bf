import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { DEFAULTS } from '../../src/config/options.ts';
import { LIBRARIES } from '../../src/instrument/list.ts';
import { NODE_VERSIONS } from '../../src/model/node-versions.ts';
import { VERSION } from '../../src/model/package.ts';

const root = resolve(import.meta.dirname, '../..');
const manifest = JSON.parse(readFileSync(resolve(root, 'package.json'), 'utf8')) as {
  version: string;
  engines: { node: string };
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
};

test('the version is that of the package', () => {
  assert.equal(VERSION, manifest.version);
});

test('the versions of Node.js are those of the package', () => {
  assert.equal(NODE_VERSIONS.split(' ')[0], manifest.engines.node);
});

test('all versions are exact', () => {
  for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
    assert.match(version, /^(npm:[\w@/.-]+@)?\d+\.\d+\.\d+$/, name);
  }
});

test('every dependency has its reason in docs/decisions.md', () => {
  const decisions = readFileSync(resolve(root, 'docs/decisions.md'), 'utf8');
  for (const name of Object.keys(manifest.dependencies)) assert.ok(decisions.includes(`\`${name}\``), name);
});

test('the README names the libraries and the options that there are', () => {
  const readme = readFileSync(resolve(root, 'README.md'), 'utf8');
  for (const { name } of LIBRARIES.filter(({ name }) => !name.startsWith('@'))) {
    assert.ok(readme.toLowerCase().includes(name), name);
  }
  assert.equal(DEFAULTS.watch.threshold, 1000, 'the README says that a second of blocking is an alert');
});
