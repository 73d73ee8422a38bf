import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { inspectWorkers } from '../../src/agent/worker-processes.ts';
import type { WorkerProcess } from '../../src/queues/asynq/workers.ts';

const roots: string[] = [];
after(() => {
  for (const root of roots) rmSync(root, { recursive: true });
});

const MB = 1024 * 1024;
const POLL_MS = 5000;
const PID = 40;

/** A process of which the memory can be set, seen at every poll with some tasks in flight. */
function world() {
  const root = mkdtempSync(join(tmpdir(), 'taskwarden-worker-'));
  roots.push(root);
  mkdirSync(join(root, `/proc/${PID}`), { recursive: true });
  writeFileSync(join(root, '/proc/stat'), 'btime 1700000000\n');
  writeFileSync(
    join(root, `/proc/${PID}/stat`),
    `${PID} (a) S 1 1 1 0 -1 4 1 0 0 0 250 50 0 0 20 0 9 0 100 1000 250`,
  );
  let nowMs = 1_700_000_100_000;
  const inspect = inspectWorkers({ root, hostname: 'h', now: () => nowMs });
  const readers = [inspect(), inspect()];
  return {
    /** @param redis the first or the second @returns value by metric and type */
    poll(bytes: number, types: readonly string[], redis = 0, afterMs = POLL_MS): Record<string, number> {
      nowMs += afterMs;
      writeFileSync(
        join(root, `/proc/${PID}/status`),
        `NSpid:\t${PID}\nVmRSS:\t${Math.round(bytes / 1024)} kB\n`,
      );
      const worker: WorkerProcess = {
        prefix: 'asynq',
        host: 'h',
        pid: PID,
        startedMs: 1_700_000_050_000,
        servers: [],
        running: types.map((type, i) => ({
          flight: { id: `${i}`, type, queue: 'q', startedMs: undefined, deadlineMs: undefined },
          ageMs: undefined,
          nowMs,
        })),
      };
      return Object.fromEntries(
        readers[redis]!([worker]).map(({ metric, attributes, value }) => [
          `${metric} ${attributes['task.name'] ?? ''}`.trim(),
          value,
        ]),
      );
    },
  };
}

/** Between 0 and 1, the same in every run. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

/** What a Go process holds beside what it keeps: garbage until its next collection. */
const garbage = (random: () => number) => random() * 40 * MB;

test('memory that grows while one type runs is that of the type, within its bounds', () => {
  for (const seed of [1, 2, 3]) {
    const random = generator(seed);
    const { poll } = world();
    let kept = 200 * MB;
    let readings: Record<string, number> = {};
    for (let i = 0; i < 200; i++) {
      const types = ['mail', 'report', 'index'].filter(() => random() < 0.4);
      readings = poll(kept + garbage(random), types);
      if (types.includes('report')) kept += 2 * MB * (POLL_MS / 1000);
    }
    assert.ok(readings['queue.worker.memory.usage']! > 300 * MB);
    const found = readings['task.memory.growth report'];
    assert.ok(found !== undefined && Math.abs(found / MB - 2) < 0.4, `${found}`);
    const lower = readings['task.memory.growth.lower report']!;
    assert.ok(lower > 0 && lower < 2 * MB);
    assert.deepEqual(
      Object.keys(readings).filter((key) => key.startsWith('task.memory.growth ')),
      ['task.memory.growth report'],
    );
  }
});

test('garbage, a cache that fills and growth at all times blame nobody', () => {
  const shapes: ((i: number) => number)[] = [() => 0, (i) => Math.min(i, 30) * 10 * MB, (i) => i * 3 * MB];
  for (const [at, grown] of shapes.entries()) {
    for (const seed of [11, 12]) {
      const random = generator(seed);
      const { poll } = world();
      for (let i = 0; i < 150; i++) {
        const types = ['mail', 'report', 'index'].filter(() => random() < 0.4);
        const readings = poll(200 * MB + grown(i) + garbage(random), types);
        const blamed = Object.keys(readings).filter((key) => key.startsWith('task.memory'));
        assert.deepEqual(blamed, [], `shape ${at}, seed ${seed}, poll ${i}`);
      }
    }
  }
});

test('a process with servers on two Redis instances has one memory: what grows for a task of one is not that of the other', () => {
  for (const seed of [21, 22, 23]) {
    const random = generator(seed);
    const { poll } = world();
    let kept = 200 * MB;
    const named = new Set<string>();
    for (let i = 0; i < 300; i++) {
      const leaks = random() < 0.4;
      // What the other Redis has in flight beside it is mostly there at the same times.
      const beside = leaks ? random() < 0.8 : random() < 0.2;
      for (const [redis, types] of [leaks ? ['report'] : [], beside ? ['mail'] : []].entries()) {
        const readings = poll(kept + garbage(random), types, redis, POLL_MS / 2);
        for (const key of Object.keys(readings))
          if (key.startsWith('task.memory.growth ')) named.add(`${redis} ${key.split(' ')[1]}`);
      }
      if (leaks) kept += 2 * MB * (POLL_MS / 1000);
    }
    assert.deepEqual([...named], ['0 report'], `seed ${seed}`);
  }
});
