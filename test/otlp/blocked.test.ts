import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { startSinkProcess } from '../helpers/otlp-sink-process.ts';

const BLOCK_MS = 1500;

test('an alert leaves a worker thread while the main thread is blocked', async () => {
  const sink = await startSinkProcess();
  const script = `
    const { parentPort } = require('node:worker_threads');
    import(${JSON.stringify(import.meta.resolve('./fixtures.ts'))}).then(async ({ logData, testExporter }) => {
      const exporter = testExporter();
      await exporter.warm();
      parentPort.on('message', () => setTimeout(() => exporter.logs([logData(1, { timeMs: Date.now() })]), 100));
      parentPort.postMessage('ready');
    });`;
  const worker = new Worker(script, {
    eval: true,
    env: { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: sink.url },
  });
  try {
    await new Promise((ready, failed) => worker.once('message', ready).once('error', failed));
    worker.postMessage('go');
    const blockedUntil = Date.now() + BLOCK_MS;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BLOCK_MS);
    const item = await sink.waitFor(({ signal }) => signal === 'logs');
    assert.ok(
      item.receivedAt < blockedUntil,
      `received ${item.receivedAt - blockedUntil} ms after the block`,
    );
  } finally {
    await worker.terminate();
    await sink.stop();
  }
});

test('the receiver in its own process: faults are set and lifted from outside', async () => {
  const sink = await startSinkProcess();
  try {
    const post = () =>
      fetch(`${sink.url}/v1/logs`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: { stringValue: 'hello' } }] }] }],
        }),
      });
    sink.setFault({ status: 503 });
    while ((await post()).status !== 503);
    sink.setFault({});
    while ((await post()).status !== 200);
    const item = await sink.waitFor((one) => one.signal === 'logs' && one.body === 'hello');
    assert.equal(item.signal, 'logs');
  } finally {
    await sink.stop();
  }
});
