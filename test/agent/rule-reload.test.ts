import assert from 'node:assert/strict';
import {
  appendFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { Alerting } from '../../src/agent/alerting.ts';
import { createGuard } from '../../src/agent/guard.ts';
import { RuleWatch } from '../../src/agent/rule-watch.ts';
import { loadConfig } from '../../src/config/config.ts';
import type { AlertTransition } from '../../src/model/alert.ts';
import { loadRuleFiles } from '../../src/rules/load.ts';
import { placesOf } from '../../src/rules/places.ts';
import { stayAwake } from '../helpers/awake.ts';
import { metricValue, newRegistry } from './parts.ts';

const T0 = 1_700_000_000_000;
/** How long a change may take to be noticed before a test fails, ms: much more than it takes. */
const LIMIT_MS = 15_000;

stayAwake();

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'taskwarden-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const alertText = (name: string, expr = 'task_active > 0', hold = '0s') =>
  `groups:\n- name: g\n  rules:\n  - alert: ${name}\n    expr: ${expr}\n    for: ${hold}\n`;

function write(path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

function setup(rules: string, env: Record<string, string> = {}) {
  const registry = newRegistry();
  const transitions: AlertTransition[] = [];
  const said: string[] = [];
  let heard = (): void => {};
  let clock = 0;
  const alerting = new Alerting({
    config: loadConfig({
      env: { TASKWARDEN_RULES: rules, TASKWARDEN_SHIPPED_RULES: 'false', ...env },
      cwd: folder,
    }),
    registry,
    resource: { 'service.name': 'worker', 'service.instance.id': 'a-1' },
    sources: { shipped: [], load: loadRuleFiles },
    guard: createGuard(registry, (text) => assert.fail(text)),
    runsFor: () => [],
    onAlert: (transition) => transitions.push(transition),
    say: (_, text) => {
      said.push(text);
      heard();
    },
    elapsed: () => clock,
  });
  registry.set('task.active', { 'task.name': 'send' }, 1);
  return {
    alerting,
    registry,
    said,
    names: () => alerting.describe().flatMap((group) => group.rules.map(({ name }) => name)),
    told: () =>
      transitions.splice(0).map(({ name, previousState, state }) => `${name}: ${previousState} > ${state}`),
    tick(seconds: number) {
      clock = seconds * 1000;
      alerting.tick(T0 + clock, 'step');
    },
    /** Fulfils with what is said next; rejects when nothing is. */
    next: () =>
      new Promise<string>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error('nothing was said')), LIMIT_MS);
        heard = () => {
          clearTimeout(timer);
          heard = () => {};
          resolve(said.at(-1)!);
        };
      }),
  };
}

const READ = /^rules were read again: \d+ groups$/;

describe('rules that are read again', () => {
  test('keep the state of those that are the same; a broken file changes nothing and is told with its place', () => {
    write('r.yaml', alertText('A', 'task_active > 0', '10s'));
    const { alerting, registry, said, names, told, tick } = setup('r.yaml', {
      TASKWARDEN_RULES_RELOAD: 'false',
    });
    const reloads = (outcome: string) => metricValue(registry, 'taskwarden.rules.reloads', { outcome });
    const successful = () => metricValue(registry, 'taskwarden.rules.reload.successful');
    assert.deepEqual([reloads('success'), reloads('failure'), successful()], [0, 0, 1]);
    const since = metricValue(registry, 'taskwarden.rules.reload.timestamp')!;
    assert.ok(Math.abs(since - Date.now() / 1000) < 60);
    tick(0);
    assert.deepEqual(told(), ['A: inactive > pending']);

    write('r.yaml', alertText('A', 'task_active >'));
    alerting.reload();
    assert.match(said.at(-1)!, /^r\.yaml:5:\d+: .*; the rules stay as they were$/);
    assert.deepEqual([reloads('success'), reloads('failure'), successful()], [0, 1, 0]);
    rmSync(join(folder, 'r.yaml'));
    alerting.reload();
    assert.match(said.at(-1)!, /^r\.yaml: cannot be read: no such file; the rules stay as they were$/);
    tick(5);
    assert.deepEqual(names(), ['A']);

    write('r.yaml', `${alertText('A', 'task_active > 0.5', '10s')}  - {alert: B, expr: task_active > 7}\n`);
    alerting.reload();
    assert.match(said.at(-1)!, READ);
    assert.deepEqual([reloads('success'), reloads('failure'), successful()], [1, 2, 1]);
    assert.deepEqual(names(), ['A', 'B']);
    tick(10);
    assert.deepEqual(told(), ['A: pending > firing']);
    write('r.yaml', alertText('C', 'task_active > 7'));
    alerting.reload();
    assert.deepEqual(told(), ['A: firing > resolved']);
    assert.deepEqual(alerting.alerts(), []);
  });

  test('one broken file among several changes nothing either', () => {
    write('a.yaml', alertText('A'));
    write('b.yaml', alertText('B'));
    const { alerting, names } = setup('*.yaml', { TASKWARDEN_RULES_RELOAD: 'false' });
    write('a.yaml', alertText('A2'));
    write('b.yaml', 'groups: 5');
    alerting.reload();
    assert.deepEqual(names(), ['A', 'B']);
    write('b.yaml', alertText('B'));
    alerting.reload();
    assert.deepEqual(names(), ['A2', 'B']);
  });
});

describe('a change is noticed', () => {
  test('however an editor writes, and in a file that appears or vanishes', async () => {
    write('rules/a.yaml', alertText('A'));
    const { next, names } = setup('rules/*.yaml');
    const after = async (change: () => void) => {
      const said = next();
      change();
      assert.match(await said, READ);
      return names();
    };
    assert.deepEqual(await after(() => write('rules/a.yaml', alertText('InPlace'))), ['InPlace']);
    const renamed = () => {
      write('rules/.a.yaml.swp', alertText('Renamed'));
      renameSync(join(folder, 'rules/.a.yaml.swp'), join(folder, 'rules/a.yaml'));
    };
    assert.deepEqual(await after(renamed), ['Renamed']);
    const backedUp = () => {
      renameSync(join(folder, 'rules/a.yaml'), join(folder, 'rules/a.yaml~'));
      write('rules/a.yaml', alertText('BackedUp'));
    };
    assert.deepEqual(await after(backedUp), ['BackedUp']);
    assert.deepEqual(await after(() => write('rules/b.yaml', alertText('New'))), ['BackedUp', 'New']);
    assert.deepEqual(await after(() => unlinkSync(join(folder, 'rules/a.yaml'))), ['New']);
  });

  test('a folder that is replaced, and one that comes later', async () => {
    write('one/rules/a.yaml', alertText('One'));
    write('two/rules/a.yaml', alertText('Two'));
    symlinkSync('one', join(folder, 'current'));
    const { next, names } = setup('current/rules/a.yaml,late/*.yaml');
    let said = next();
    symlinkSync('two', join(folder, 'new'));
    renameSync(join(folder, 'new'), join(folder, 'current'));
    assert.match(await said, READ);
    assert.deepEqual(names(), ['Two']);
    said = next();
    write('late/b.yaml', alertText('Late'));
    assert.match(await said, READ);
    assert.deepEqual(names(), ['Two', 'Late']);
    said = next();
    rmSync(join(folder, 'late'), { recursive: true });
    write('late/b.yaml', alertText('Again'));
    assert.match(await said, READ);
    assert.deepEqual(names(), ['Two', 'Again']);
  });

  test('the folders of a ConfigMap, whose links are swapped', async () => {
    write('..1/r.yaml', alertText('Before'));
    symlinkSync('..1', join(folder, '..data'));
    symlinkSync('..data/r.yaml', join(folder, 'r.yaml'));
    const { next, names } = setup('*.yaml');
    assert.deepEqual(names(), ['Before']);
    for (const [name, version] of [
      ['After', '..2'],
      ['AfterThat', '..3'],
    ] as const) {
      const said = next();
      write(`${version}/r.yaml`, alertText(name));
      symlinkSync(version, join(folder, '..data_tmp'));
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
      assert.match(await said, READ);
      assert.deepEqual(names(), [name]);
    }
  });

  test('nothing is read where only other files change', async () => {
    write('r.yaml', alertText('A'));
    const { next, names, said } = setup('r.yaml');
    write('worker.log', 'x');
    linkSync(join(folder, 'worker.log'), join(folder, 'other.log'));
    const told = next();
    write('r.yaml', alertText('B'));
    await told;
    assert.deepEqual([names(), said.length], [['B'], 1]);
  });
});

test('where there are too many folders, this is told once, and files are looked at now and then', () => {
  for (let n = 0; n < 110; n++) mkdirSync(join(folder, `f${n}`));
  const blind: string[] = [];
  new RuleWatch({
    patterns: ['**/*.yaml'],
    cwd: folder,
    onChange: () => {},
    guard: (check) => check(),
    onBlind: (error) => blind.push(String(error)),
  });
  assert.deepEqual(blind, ['Error: more than 100 folders']);
});

test('what the file system throws later is caught, and the next change is noticed', async () => {
  write('r.yaml', '');
  const signs: string[] = [];
  let sign = (): void => {};
  const next = () => new Promise<void>((resolve) => (sign = resolve));
  new RuleWatch({
    patterns: ['r.yaml'],
    cwd: folder,
    onChange: () => {
      signs.push('changed');
      sign();
    },
    guard: (check) => {
      try {
        check();
      } catch (error) {
        signs.push((error as NodeJS.ErrnoException).code ?? '');
        sign();
      }
    },
    onBlind: (error) => assert.fail(String(error)),
  });
  const noticed = next();
  symlinkSync('r.yaml', join(folder, 'circle'));
  renameSync(join(folder, 'circle'), join(folder, 'r.yaml'));
  await noticed;
  assert.deepEqual(signs, ['ELOOP']);
  const again = next();
  rmSync(join(folder, 'r.yaml'));
  write('r.yaml', 'groups: []');
  await again;
  assert.deepEqual(signs, ['ELOOP', 'changed']);
});

test('links in a circle come to an end', () => {
  symlinkSync('b', join(folder, 'a'));
  symlinkSync('a', join(folder, 'b'));
  assert.ok(placesOf(['a/r.yaml', 'a/*.yaml'], folder).has(folder));
});

test('a log that is written beside the rules has no folder looked through', async () => {
  // The folder above is watched, too, and must be one in which nobody else writes.
  mkdirSync(join(folder, 'rules'));
  for (const name of ['r.yaml', 'worker.log']) write(join('rules', name), '');
  let checks = 0;
  new RuleWatch({
    patterns: ['rules/*.yaml'],
    cwd: folder,
    onChange: () => {},
    guard: () => checks++,
    onBlind: (error) => assert.fail(String(error)),
  });
  const settle = () => new Promise((later) => setTimeout(later, 600));
  appendFileSync(join(folder, 'rules/worker.log'), 'a line');
  await settle();
  assert.equal(checks, 0);
  appendFileSync(join(folder, 'rules/r.yaml'), '# more');
  await settle();
  assert.equal(checks, 1);
});
