import assert from 'node:assert/strict';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { mock, test } from 'node:test';
import { isPipeFull, printLine } from '../../src/otlp/console.ts';

test('a pipe that takes a part at a time gets whole lines, also when it is full in the middle of one', () => {
  let [written, room] = ['', 0];
  mock.method(fs, 'writeSync', (_fd: number, bytes: Uint8Array, at = 0) => {
    if (room === 0) throw Object.assign(new Error('EAGAIN'), { code: 'EAGAIN' });
    const taken = Buffer.from(bytes.subarray(at, at + Math.min(3, room)));
    written += taken.toString();
    room -= taken.length;
    return taken.length;
  });
  syncBuiltinESMExports();
  try {
    room = 10;
    printLine('12345678');
    printLine('abcdef');
    assert.equal(written, '12345678\na');
    assert.throws(() => printLine('lost'), isPipeFull);
    room = 100;
    printLine('next');
  } finally {
    mock.restoreAll();
    syncBuiltinESMExports();
  }
  assert.equal(written, '12345678\nabcdef\nnext\n');
});
