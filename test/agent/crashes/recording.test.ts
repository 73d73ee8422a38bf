import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_RUNS, REGION_BYTES } from '../../../src/agent/crashes/layout.ts';
import { readRecording } from '../../../src/agent/crashes/read-recording.ts';
import { RecordingWriter } from '../../../src/agent/crashes/recording.ts';
import { fileOf, identity, RESIZE, RESOURCES, runToRecord, TRACE } from './parts.ts';

const nothing = {
  resources: RESOURCES,
  holder: undefined,
  end: undefined,
  stopSignal: 0,
  origin: Number.NaN,
};

function written(writer: RecordingWriter, file: Buffer, jobs: readonly string[]): void {
  writer.begin();
  for (const job of jobs) writer.add(runToRecord(job));
  const { parts, at } = writer.finish(nothing);
  Buffer.concat(parts).copy(file, at);
}

const jobsOf = (file: Buffer) => readRecording(file)?.runs.map(({ jobId }) => jobId);

test('what is written is read', () => {
  const who = identity({ service: 'Dienst für ✉' });
  const writer = new RecordingWriter(who);
  writer.begin();
  writer.add(runToRecord('a', { framework: 'f', queue: 'q', task: 'ä "ö"' }));
  const holder = writer.add(runToRecord('ключ', RESIZE, TRACE));
  const end = { kind: 'exception', code: 1 } as const;
  const { parts, at } = writer.finish({
    resources: RESOURCES,
    holder,
    end,
    stopSignal: 15,
    origin: Number.NaN,
  });
  const recording = readRecording(Buffer.concat([Buffer.alloc(at), ...parts]));
  const usage = { attempt: 2, startedAt: 1500, cpuMs: 12.5, requests: 3, bytesIn: 10, bytesOut: 20 };
  assert.deepEqual(recording, {
    identity: who,
    resources: RESOURCES,
    runs: [
      { task: { framework: 'f', queue: 'q', task: 'ä "ö"' }, jobId: 'a', traceId: '', spanId: '', ...usage },
      { task: RESIZE, jobId: 'ключ', traceId: TRACE.slice(0, 32), spanId: TRACE.slice(32), ...usage },
    ],
    more: 0,
    holder: 1,
    end,
    stopSignal: 15,
  });
});

test('a write that stopped half-way leaves the one before', () => {
  const file = Buffer.alloc(2 * REGION_BYTES);
  const writer = new RecordingWriter(identity());
  written(writer, file, ['one']);
  written(writer, file, ['two']);
  assert.deepEqual(jobsOf(file), ['two']);
  const before = Buffer.from(file);
  written(writer, file, ['three', 'four']);
  assert.deepEqual(jobsOf(file), ['three', 'four']);
  const length = file.readUInt32LE(REGION_BYTES + 8);
  for (let cut = 0; cut < length; cut += 7) {
    const torn = Buffer.from(file);
    before.copy(torn, REGION_BYTES + cut, REGION_BYTES + cut, REGION_BYTES + length);
    assert.deepEqual(jobsOf(torn), torn.equals(file) ? ['three', 'four'] : ['two'], `cut at ${cut}`);
  }
});

test('a run that ended while it was read is taken back', () => {
  const writer = new RecordingWriter(identity());
  writer.begin();
  writer.add(runToRecord('stays'));
  writer.takeBack(writer.add(runToRecord('ended', RESIZE, TRACE)));
  writer.add(runToRecord('next'));
  const { parts, at } = writer.finish(nothing);
  assert.deepEqual(jobsOf(Buffer.concat([Buffer.alloc(at), ...parts])), ['stays', 'next']);
});

test('runs beyond the most are counted, and names are bounded', () => {
  const writer = new RecordingWriter(identity());
  for (const round of [1, 2]) {
    writer.begin();
    for (let i = 0; i < MAX_RUNS + 5; i++)
      writer.add(runToRecord(String(i), { framework: 'f', queue: 'q'.repeat(500), task: `${round}-${i}` }));
    const { parts, at } = writer.finish(nothing);
    const bytes = Buffer.concat(parts);
    assert.ok(bytes.length < REGION_BYTES);
    const recording = readRecording(Buffer.concat([Buffer.alloc(at), bytes]));
    assert.equal(recording?.runs.length, MAX_RUNS);
    assert.equal(recording?.more, 5);
    assert.equal(recording?.runs[0]?.task.task, `${round}-0`);
    assert.equal(recording?.runs.at(-1)?.task.task, 'unknown');
  }
});

test('what is no recording is none, whatever it holds', () => {
  const good = fileOf(identity(), ['a', 'b']);
  assert.equal(readRecording(Buffer.alloc(0)), undefined);
  assert.equal(readRecording(Buffer.from('flight')), undefined);
  assert.equal(readRecording(Buffer.alloc(3 * REGION_BYTES, 0xff)), undefined);
  for (let at = REGION_BYTES; at < good.length; at++) {
    const bad = Buffer.from(good);
    bad[at]! ^= 0x41;
    assert.equal(readRecording(bad), undefined, `byte ${at}`);
  }
});
