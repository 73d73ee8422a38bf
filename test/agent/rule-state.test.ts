import assert from 'node:assert/strict';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { openRuleState } from '../../src/agent/open-state.ts';
import { isRunning, ownProcess, type ProcessId } from '../../src/agent/process-id.ts';
import { RuleState, type RuleStateOptions } from '../../src/agent/rule-state.ts';
import { loadConfig } from '../../src/config/config.ts';
import { stateFolder } from '../../src/config/state-dir.ts';
import type { AlertSnapshot } from '../../src/rules/restore.ts';

let folder: string;
let running: number[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'taskwarden-test-'));
  running = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const NOW = Date.now();

function state(pid: number, over: Partial<RuleStateOptions> = {}): RuleState {
  running.push(pid);
  return new RuleState({
    folder: { path: folder, isShared: false },
    key: 'aa',
    self: { pid, start: 7 },
    isRunning: (other: ProcessId) => running.includes(other.pid),
    ...over,
  });
}

const ends = (pid: number) => running.splice(running.indexOf(pid), 1);
const snapshot = (...names: string[]): AlertSnapshot => ({
  version: 1,
  at: NOW,
  alerts: names.map((name) => ({ group: 'g', rule: name, labels: { alertname: name }, activeAt: NOW })),
});
const rulesOf = (found: unknown) => (found as AlertSnapshot | undefined)?.alerts.map(({ rule }) => rule);
const files = () => readdirSync(folder).sort();

describe('what a process leaves to the next', () => {
  test('is taken once, and stays until it is written over', () => {
    state(1).save(0, () => snapshot('A', 'B'));
    assert.deepEqual(files(), ['alerts-aa-1-7.json']);
    assert.equal(statSync(join(folder, files()[0]!)).mode & 0o777, 0o600);
    ends(1);
    const next = state(2);
    assert.deepEqual(rulesOf(next.claim(NOW)), ['A', 'B']);
    assert.deepEqual(files(), ['alerts-aa-2-7.json']);
    assert.equal(state(3).claim(NOW), undefined);
    next.save(0, () => snapshot());
    assert.deepEqual(files(), []);
  });

  test('is not taken from a process that runs, nor from another service', () => {
    state(1).save(0, () => snapshot('A'));
    state(2, { key: 'bb' }).save(0, () => snapshot('B'));
    ends(2);
    assert.equal(state(3).claim(NOW), undefined);
    assert.deepEqual(rulesOf(state(4, { key: 'bb' }).claim(NOW)), ['B']);
  });

  test('goes to one successor each when several start at once, the latest first', () => {
    for (const [at, pid] of [1, 2, 3].entries()) {
      state(pid).save(0, () => snapshot(`from ${pid}`));
      utimesSync(join(folder, `alerts-aa-${pid}-7.json`), NOW / 1000, NOW / 1000 - 100 + at);
    }
    running = [];
    const found = [11, 12, 13, 14].map((pid) => rulesOf(state(pid).claim(NOW)));
    assert.deepEqual(found, [['from 3'], ['from 2'], ['from 1'], undefined]);
  });

  test('is not missed by one that has its pid, as the first process of a container', () => {
    state(1).save(0, () => snapshot('A'));
    const again = new RuleState({
      folder: { path: folder, isShared: false },
      key: 'aa',
      self: { pid: 1, start: 8 },
      isRunning: ({ start }) => start === 8,
    });
    assert.deepEqual(rulesOf(again.claim(NOW)), ['A']);
  });

  test('is taken over by another agent of the same process', () => {
    state(1).save(0, () => snapshot('A'));
    const next = state(1);
    assert.deepEqual(rulesOf(next.claim(NOW)), ['A']);
    next.save(0, () => snapshot('A', 'B'));
    assert.deepEqual(files(), ['alerts-aa-1-7.json']);
  });

  test('is removed after an hour, whose ever it is; other files are left alone', () => {
    for (const name of ['alerts-aa-1-7.json', 'alerts-cc-2-7.json', 'alerts-cc-2-7.json.new', 'notes.txt']) {
      writeFileSync(join(folder, name), '{}');
      utimesSync(join(folder, name), NOW / 1000, NOW / 1000 - 3700);
    }
    assert.equal(state(9).claim(NOW), undefined);
    assert.deepEqual(files(), ['notes.txt']);
  });
});

describe('a file that is no good', () => {
  const damaged: Record<string, string> = {
    'half of one': '{"version":1,"at":1,"alerts":[{"group"',
    'an empty one': '',
    'a large one': `[${'0,'.repeat(600_000)}0]`,
  };
  for (const [what, text] of Object.entries(damaged))
    test(`${what} is told and removed`, () => {
      writeFileSync(join(folder, 'alerts-aa-1-7.json'), text);
      assert.throws(() => state(2).claim(NOW), /cannot be read/);
      assert.deepEqual(files(), []);
    });

  test('a link leads nowhere', () => {
    writeFileSync(join(folder, 'other'), JSON.stringify(snapshot('A')));
    symlinkSync(join(folder, 'other'), join(folder, 'alerts-aa-1-7.json'));
    assert.throws(() => state(2).claim(NOW), /cannot be read/);
    assert.deepEqual(files(), ['other']);
  });

  test('a folder that is none is told', () => {
    writeFileSync(join(folder, 'file'), '');
    const own = state(1, { folder: { path: join(folder, 'file'), isShared: false } });
    assert.throws(() => own.claim(NOW), /ENOTDIR/);
    assert.throws(() => own.save(0, () => snapshot('A')), /EEXIST|ENOTDIR/);
  });
});

describe('writing', () => {
  test('happens when alerts change, at most every few seconds, and now and then', () => {
    const own = state(1);
    let asked = 0;
    const save = (now: number, ...names: string[]) => {
      own.save(now, () => {
        asked++;
        return snapshot(...names);
      });
      return files().length === 0 ? '' : readFileSync(join(folder, files()[0]!), 'utf8');
    };
    assert.match(save(0, 'A'), /"rule":"A"/);
    assert.doesNotMatch(save(3000, 'B'), /"rule":"B"/);
    assert.equal(asked, 1, 'a snapshot was made in vain');
    assert.match(save(5000, 'B'), /"rule":"B"/);
    const before = statSync(join(folder, files()[0]!)).ino;
    save(10_000, 'B');
    assert.equal(statSync(join(folder, files()[0]!)).ino, before);
    save(36_000, 'B');
    assert.notEqual(statSync(join(folder, files()[0]!)).ino, before);
    assert.equal(save(41_000), '');
  });

  test('the last time is never too early', () => {
    const own = state(1);
    own.save(0, () => snapshot('A'));
    own.save(1, () => snapshot('B'), true);
    assert.match(readFileSync(join(folder, files()[0]!), 'utf8'), /"rule":"B"/);
  });

  test('without alerts no folder is made', () => {
    const path = join(folder, 'none');
    state(1, { folder: { path, isShared: false } }).save(0, () => snapshot(), true);
    assert.deepEqual(files(), []);
  });

  test('a megabyte is the most: the rest of the alerts is left out', () => {
    const labels = { text: 'x'.repeat(1000) };
    const many = Array.from({ length: 3000 }, (_, n) => ({
      group: 'g',
      rule: `A${n}`,
      labels,
      activeAt: NOW,
    }));
    state(1).save(0, () => ({ version: 1, at: NOW, alerts: many }));
    const { size } = statSync(join(folder, files()[0]!));
    assert.ok(size > 900_000 && size <= 1024 * 1024, `${size} bytes`);
    ends(1);
    assert.ok(rulesOf(state(2).claim(NOW))!.length > 900);
  });

  test('when it fails it is not tried again and again', () => {
    let asked = 0;
    const own = state(1, { folder: { path: '/proc/none', isShared: false } });
    const save = (now: number) =>
      own.save(now, () => {
        asked++;
        return snapshot('A');
      });
    assert.throws(() => save(0));
    for (const now of [5000, 60_000, 600_000]) save(now);
    assert.equal(asked, 1);
  });
});

describe('the folder', () => {
  const config = (env: Record<string, string>) => loadConfig({ env, cwd: folder });

  test('is systemd’s, else the user’s among the temporary files, or what the option says', () => {
    const given = (env: Record<string, string>) => stateFolder(config(env));
    assert.deepEqual(given({ STATE_DIRECTORY: '/var/lib/worker:/var/lib/other' }), {
      path: '/var/lib/worker',
      isShared: false,
    });
    const own = given({});
    assert.ok(own?.isShared && own.path.startsWith(join(tmpdir(), 'taskwarden-')), own?.path);
    assert.deepEqual(given({ TASKWARDEN_STATE_DIR: 'kept' }), {
      path: join(folder, 'kept'),
      isShared: false,
    });
    assert.equal(given({ TASKWARDEN_STATE_DIR: 'OFF' }), undefined);
    assert.equal(openRuleState(config({ TASKWARDEN_STATE_DIR: 'off' }), {}), undefined);
  });

  test('is not trusted among the temporary files while others may write to it', () => {
    const path = join(folder, 'open');
    mkdirSync(path);
    chmodSync(path, 0o777);
    const shared = state(1, { folder: { path, isShared: true } });
    assert.throws(() => shared.claim(NOW), /not a folder of this user alone/);
    assert.throws(() => shared.save(0, () => snapshot('A')), /not a folder of this user alone/);
    chmodSync(path, 0o700);
    assert.equal(shared.claim(NOW), undefined);
    symlinkSync(path, join(folder, 'link'));
    const linked = state(2, { folder: { path: join(folder, 'link'), isShared: true } });
    assert.throws(() => linked.claim(NOW), /not a folder of this user alone/);
  });
});

test('a process is known by its number and its start', () => {
  const self = ownProcess();
  assert.equal(self.pid, process.pid);
  assert.ok(isRunning(self));
  if (self.start !== 0) assert.ok(!isRunning({ ...self, start: self.start + 1 }));
  assert.ok(isRunning({ pid: process.pid, start: 0 }));
  assert.ok(!isRunning({ pid: 2 ** 22 + 5, start: 0 }));
});
