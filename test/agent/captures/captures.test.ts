import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { SourceMaps } from '../../../src/agent/blocks/source-maps.ts';
import { Captures } from '../../../src/agent/captures/captures.ts';
import { EvidenceFolder } from '../../../src/agent/captures/folder.ts';
import { transition } from '../../alerts/transitions.ts';
import { folderWith } from '../../fixtures/faults/program.ts';
import { bothEnds } from '../parts.ts';

const HOUR_MS = 3_600_000;
const place = folderWith({});
after(() => place.remove());

test('captures of a kind are bounded within an hour, and refused beyond', async () => {
  let now = 0;
  const folder = new EvidenceFolder({
    folder: { path: join(place.path, 'evidence'), isShared: false },
    limits: { maxFiles: 100, maxSize: 1, maxAge: HOUR_MS },
    now: Date.now,
  });
  const captures = new Captures({
    inbox: bothEnds().inbox,
    maps: new SourceMaps(),
    folder,
    profileMs: 10,
    inspector: false,
    warn: assert.fail,
    onFault: assert.fail,
    hold: () => () => {},
    elapsed: () => now,
  });
  const alert = transition();
  for (const [name, most] of [
    ['capture-stack', 60],
    ['cpu-profile', 12],
    ['heap-profile', 12],
    ['heap-snapshot', 2],
  ] as const) {
    const { evidence, run } = captures.actions[name]!;
    for (let n = 0; n < most; n++) assert.equal(typeof evidence!(alert), 'string', `${name} ${n}`);
    assert.equal(evidence!(alert), undefined);
    assert.deepEqual(await run(alert, undefined), {
      outcome: 'refused',
      message: `there were ${most} within an hour`,
    });
  }
  now += HOUR_MS;
  assert.equal(typeof captures.actions['heap-snapshot']!.evidence!(alert), 'string');
  assert.deepEqual(readdirSync(join(place.path, 'evidence')), [], 'what was only planned takes no room');
});
