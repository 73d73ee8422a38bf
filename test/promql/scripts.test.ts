import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { children, type Node } from '../../src/promql/ast.ts';
import { KEYWORDS } from '../../src/promql/keywords.ts';
import { ARITHMETIC } from '../../src/promql/operators.ts';
import { parse } from '../../src/promql/parser.ts';
import { SIGNATURES } from '../../src/promql/signatures.ts';
import { casesOf, runScript } from './runner.ts';

const FOLDER = join(import.meta.dirname, 'scripts');

for (const file of readdirSync(FOLDER)) {
  test(file, () => {
    const { passed, failures, unsupported } = runScript(readFileSync(join(FOLDER, file), 'utf8'));
    assert.deepEqual(failures, []);
    assert.deepEqual(unsupported, []);
    assert.ok(passed > 0, 'the script has no case');
  });
}

test('the runner reports a wrong value, missing and surplus series and a failure that did not come', () => {
  const load = 'load 10s\n  a{b="1"} 1\n  a{b="2"} 2\n';
  const wrong = [
    '  {b="1"} 1\n  {b="2"} 3',
    '  {b="1"} 1',
    '  {b="1"} 1\n  {b="2"} 2\n  {b="3"} 3',
    '  expect fail',
  ];
  for (const expected of wrong) {
    const { passed, failures } = runScript(`${load}eval instant at 0 a + 0\n${expected}\n`);
    assert.deepEqual([passed, failures.length], [0, 1], expected);
  }
  const ordered = '  expect ordered\n  {b="2"} 2\n  {b="1"} 1';
  assert.equal(runScript(`${load}eval instant at 0 sort(a + 0)\n${ordered}`).failures.length, 1);
});

/** What the expressions of the scripts use, as `function abs`, `operator +` and so on. */
function used(): Set<string> {
  const found = new Set<string>();
  for (const file of readdirSync(FOLDER)) {
    for (const { expr } of casesOf(readFileSync(join(FOLDER, file), 'utf8'))) visit(parse(expr), found);
  }
  return found;
}

function visit(node: Node, found: Set<string>): void {
  if (node.kind === 'call') found.add(`function ${node.name}`);
  if (node.kind === 'aggregate') {
    found.add(`aggregator ${node.op}`);
    if (node.labels.length > 0) found.add(node.without ? 'without' : 'by');
  }
  if (node.kind === 'unary') found.add(`sign ${node.op}`);
  if (node.kind === 'binary') {
    found.add(`operator ${node.op}${node.bool ? ' bool' : ''}`);
    const { on, labels, card, include } = node.matching;
    if (on || labels.length > 0) found.add(on ? 'on' : 'ignoring');
    found.add(`${card}${include.length > 0 ? ' with labels' : ''}`);
  }
  if (node.kind === 'selector') for (const { type } of node.matchers) found.add(`matcher ${type}`);
  if (node.kind === 'subquery') found.add(node.step === undefined ? 'subquery' : 'subquery with step');
  if (node.kind === 'selector' || node.kind === 'subquery') {
    const { at, offset } = node.shift;
    if (offset !== 0) found.add(`${node.kind} ${offset < 0 ? 'negative offset' : 'offset'}`);
    if (at !== undefined) found.add(`${node.kind} @${typeof at === 'number' ? '' : ` ${at}()`}`);
  }
  for (const child of children(node)) visit(child, found);
}

const AGGREGATORS = [...KEYWORDS]
  .filter(([word, kind]) => kind === 'aggregator' && !word.startsWith('limit'))
  .map(([word]) => word);
const COMPARISONS = ['==', '!=', '<', '<=', '>', '>='];

test('every function, operator and modifier has a case', () => {
  const wanted = [
    ...[...SIGNATURES.keys()].map((name) => `function ${name}`),
    ...AGGREGATORS.map((name) => `aggregator ${name}`),
    ...[...Object.keys(ARITHMETIC), 'and', 'or', 'unless', ...COMPARISONS].map((op) => `operator ${op}`),
    ...COMPARISONS.map((op) => `operator ${op} bool`),
    ...['=', '!=', '=~', '!~'].map((type) => `matcher ${type}`),
    ...['sign +', 'sign -', 'by', 'without', 'on', 'ignoring', 'subquery', 'subquery with step'],
    ...['one-to-one', 'many-to-one', 'one-to-many', 'many-to-one with labels', 'one-to-many with labels'],
    ...['selector', 'subquery'].flatMap((kind) =>
      ['offset', 'negative offset', '@', '@ start()', '@ end()'].map((shift) => `${kind} ${shift}`),
    ),
  ];
  const found = used();
  assert.deepEqual(
    wanted.filter((one) => !found.has(one)),
    [],
  );
});
