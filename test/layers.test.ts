import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';

const SRC = resolve(import.meta.dirname, '../src');

/** Rooms by layer, lowest first. A file imports its own room and lower layers, never a sibling room. */
const LAYERS: readonly (readonly string[])[] = [
  ['model'],
  ['config', 'bridge', 'store', 'promql', 'exit'],
  ['sdk', 'tasks', 'host', 'attribution', 'rules', 'alerts', 'queues', 'otlp'],
  ['instrument', 'api', 'dashboards'],
  ['agent', 'main'],
  ['index', 'cli'],
  ['register'],
];

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
const imports = new Map(files.map((file) => [file, importsOf(file)]));

function importsOf(file: string): string[] {
  const text = readFileSync(join(SRC, file), 'utf8');
  const specifiers = text.matchAll(/(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+\.ts)'/g);
  return [...specifiers].map((match) => relative(SRC, resolve(SRC, dirname(file), match[1]!)));
}

function room(file: string): string {
  return file.includes('/') ? file.slice(0, file.indexOf('/')) : file.replace(/\.ts$/, '');
}

function layer(file: string): number {
  const found = LAYERS.findIndex((rooms) => rooms.includes(room(file)));
  assert.notEqual(found, -1, `src/${file} is in no layer: add its room to the table or move it`);
  return found;
}

function reachable(from: string): Set<string> {
  const seen = new Set([from]);
  for (const file of seen) for (const next of imports.get(file) ?? []) seen.add(next);
  return seen;
}

test('every import points to an existing file of the same room or of a lower layer', () => {
  for (const [file, targets] of imports) {
    for (const target of targets) {
      assert.ok(imports.has(target), `src/${file} imports src/${target}, which does not exist`);
      const allowed = room(file) === room(target) || layer(target) < layer(file);
      assert.ok(allowed, `src/${file} must not import src/${target}`);
    }
  }
});

test('there is no import cycle', () => {
  for (const file of files) {
    for (const next of imports.get(file) ?? []) {
      assert.ok(!reachable(next).has(file), `src/${file} is in a cycle through src/${next}`);
    }
  }
});

test('the main side never reaches what belongs to the agent thread', () => {
  const forbidden = ['store', 'promql', 'rules', 'alerts', 'queues', 'otlp', 'agent', 'host', 'attribution'];
  for (const file of reachable('index.ts'))
    assert.ok(!forbidden.includes(room(file)), `index.ts reaches ${file}`);
});

test('the agent thread never reaches what patches the host', () => {
  for (const file of reachable(join('agent', 'thread.ts'))) {
    assert.ok(!['instrument', 'tasks', 'sdk'].includes(room(file)), `agent/thread.ts reaches ${file}`);
  }
});

test('process.env is read in the configuration alone', () => {
  for (const file of files) {
    if (room(file) === 'config') continue;
    const code = readFileSync(join(SRC, file), 'utf8');
    assert.ok(!/process\.env\b/.test(code), `src/${file} reads process.env`);
  }
});

test('rules and promql read no clock', () => {
  for (const file of files.filter((file) => ['promql', 'rules'].includes(room(file)))) {
    const code = readFileSync(join(SRC, file), 'utf8');
    assert.ok(!/Date\.now|new Date\(\)|performance\.now|hrtime/.test(code), `src/${file} reads a clock`);
  }
});

test('what the agent loads for every worker reads neither YAML nor regular expressions', () => {
  const loaded = new Set(files.filter((file) => room(file) === 'agent'));
  for (const file of loaded) {
    const text = readFileSync(join(SRC, file), 'utf8');
    for (const [, specifier] of text.matchAll(/^import (?!type )[^;]*?from '([^']+)'/gm)) {
      assert.ok(!['yaml', 're2js'].includes(specifier!), `src/${file} imports ${specifier}`);
      if (specifier!.startsWith('.')) loaded.add(relative(SRC, resolve(SRC, dirname(file), specifier!)));
    }
  }
});
