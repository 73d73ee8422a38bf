import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { asynqMissing } from '../helpers/go-programs.ts';
import { stage } from '../interop/asynq/stage.ts';

const MB = 1024 * 1024;
/** Memory that each report gathers and keeps, and for how long a task is in flight: servers tell every 5 s. */
const KEPT = 32 * MB;
const RUN_S = 12;
const LIMIT_MS = 240_000;

suite('a real worker of asynq that leaks', { skip: asynqMissing() }, () => {
  test('its memory is put down to the type that keeps it, within the bound that is told', {
    timeout: LIMIT_MS + 30_000,
  }, async (t) => {
    const { asynq, worker, poll, value } = await stage(t);
    worker('-concurrency', '4');
    const growth = (type: string) => value('task.memory.growth', { 'task.name': type });
    const end = Date.now() + LIMIT_MS;
    let nextMs = Date.now();
    for (let turn = 0; growth('ok:report') === undefined; ) {
      assert.ok(Date.now() < end, 'no type is named');
      if (Date.now() >= nextMs) {
        // Mails come with every other report, and alone as often.
        const pattern = turn++ % 4;
        const ms = RUN_S * 1000;
        if (pattern < 2) await asynq.enqueue({ type: 'ok:report', payload: { ms, bytes: KEPT, steps: 48 } });
        if (pattern % 2 === 1) await asynq.enqueue({ type: 'ok:mail', payload: { ms } });
        nextMs += ms + 3000;
      }
      await delay(1000);
      await poll();
      assert.equal(growth('ok:mail'), undefined);
    }
    const truth = KEPT / RUN_S;
    const lower = value('task.memory.growth.lower', { 'task.name': 'ok:report' })!;
    t.diagnostic(
      `${(growth('ok:report')! / MB).toFixed(1)} MB/s, at least ${(lower / MB).toFixed(1)}; truly ${(truth / MB).toFixed(1)}`,
    );
    assert.ok(lower > 0 && lower < truth * 1.2);
    assert.ok(growth('ok:report')! > truth / 2 && growth('ok:report')! < truth * 2);
  });
});
