import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { inspect } from 'node:util';
import {
  decodeSchedulerEntry,
  decodeServer,
  decodeTask,
  decodeWorker,
} from '../../../src/queues/asynq/messages.ts';
import type { RedisDump } from './redis-dump.ts';

const { keys } = JSON.parse(
  readFileSync(resolve(import.meta.dirname, '../fixtures/asynq/v0.26.json'), 'utf8'),
) as { keys: RedisDump };

/** The only recorded message of a key that starts like this. */
function message(start: string): Buffer {
  const found = keys.find(({ key }) => key.startsWith(start));
  assert.ok(found !== undefined, start);
  const value =
    found.type === 'hash'
      ? (found.value.find(([field]) => field === 'msg') ?? found.value[0]!)[1]
      : found.type === 'list'
        ? found.value[0]!
        : (found.value as string);
  return Buffer.from(value, 'base64');
}

const WORKER = message('asynq:workers:{');
const SERVER = message('asynq:servers:{');
const ENTRY = message('asynq:schedulers:{');
const TASK = message('asynq:{critical}:t:retry');
const ALL = [
  [decodeWorker, WORKER],
  [decodeServer, SERVER],
  [decodeSchedulerEntry, ENTRY],
  [decodeTask, TASK],
] as const;

/** A field of protobuf: number, wire type and bytes. */
const field = (number: number, type: number, ...bytes: number[]) =>
  Buffer.from([(number << 3) | type, ...bytes]);
const bytes = (number: number, content: Buffer) => Buffer.concat([field(number, 2, content.length), content]);

test('recorded messages', () => {
  const { startedMs, deadlineMs, ...worker } = decodeWorker(WORKER)!;
  assert.deepEqual(worker, { type: 'stubborn:report', queue: 'critical' });
  assert.equal(deadlineMs! - startedMs!, 60_000);
  const { host, pid, startedMs: since, ...server } = decodeServer(SERVER)!;
  assert.ok(host !== '' && pid > 0 && since! > 1.7e12);
  assert.deepEqual(server, {
    concurrency: 3,
    queues: new Map([
      ['critical', 6],
      ['low:{x}', 1],
    ]),
    strictPriority: false,
    status: 'active',
    activeWorkers: 1,
  });
  const entry = decodeSchedulerEntry(ENTRY)!;
  assert.equal(entry.type, 'ok:tick');
  assert.equal(entry.nextMs! - entry.previousMs!, 1000);
  assert.deepEqual(decodeTask(TASK), { type: 'fail:mail', error: 'smtp: 550' });
});

test('payloads are passed over, and kept nowhere', () => {
  for (const [decode, message] of ALL) {
    if (decode !== decodeServer && decode !== decodeSchedulerEntry) assert.ok(message.includes('top-secret'));
    const decoded = inspect(decode(message), { showHidden: true, depth: 9 });
    assert.doesNotMatch(decoded, /top-secret|unknowns/);
  }
});

test('headers, as of 0.26, are passed over', () => {
  const header = Buffer.concat([bytes(1, Buffer.from('authorization')), bytes(2, Buffer.from('top-secret'))]);
  const decoded = decodeTask(Buffer.concat([TASK, bytes(15, header)]));
  assert.deepEqual(decoded, decodeTask(TASK));
});

test('cut short anywhere, a message is none or has what came before', () => {
  for (const [decode, message] of ALL) {
    for (let length = 0; length < message.length; length++) {
      const decoded = decode(message.subarray(0, length));
      if (decoded !== undefined) assert.deepEqual(Object.keys(decoded), Object.keys(decode(message)!));
    }
  }
});

test('fields of the future are passed over', () => {
  const future = Buffer.concat([
    bytes(13, Buffer.from('new')),
    Buffer.from([0x98, 0x06, 0x2a]), // field 99, a number
    field(11, 1, 1, 2, 3, 4, 5, 6, 7, 8),
  ]);
  assert.deepEqual(decodeWorker(Buffer.concat([WORKER, future])), decodeWorker(WORKER));
});

test('hostile bytes are no message', () => {
  const hostile = [
    Buffer.alloc(0),
    Buffer.from('{"type":"json"}'),
    field(5, 2, 0xff, 0xff, 0xff, 0xff, 0x0f), // a length of 4 GB
    field(5, 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
    field(5, 0, 1), // a number where a text is declared
    Buffer.alloc(100_000, 0x0b), // groups within groups
    Buffer.from([0x00, 0x00]), // field 0
    field(1, 7), // no such wire type
    bytes(8, Buffer.alloc(50_000, 0x42)),
  ];
  for (const [decode] of ALL) for (const message of hostile) assert.equal(decode(message), undefined);
});

test('random bytes never throw', () => {
  let state = 1;
  const random = () => {
    state = (state * 48271) % 2147483647;
    return state;
  };
  for (let i = 0; i < 2000; i++) {
    const message = Buffer.from(ALL[random() % ALL.length]![1]);
    for (let n = random() % 6; n >= 0; n--) message[random() % message.length] = random() & 255;
    for (const [decode] of ALL) decode(message);
  }
});

test("Go's zero time is none", () => {
  const zero = bytes(9, Buffer.from([0x08, 0x80, 0x92, 0xb8, 0xc3, 0x98, 0xfe, 0xff, 0xff, 0xff, 0x01]));
  const text = (number: number, value: string) => bytes(number, Buffer.from(value));
  const decoded = decodeWorker(Buffer.concat([text(5, 'a'), text(7, 'q'), zero]));
  assert.deepEqual(decoded, { type: 'a', queue: 'q', startedMs: undefined, deadlineMs: undefined });
});

test('a map key that JavaScript knows is a queue like any other', () => {
  const entry = (name: string) => bytes(5, Buffer.concat([bytes(1, Buffer.from(name)), field(2, 0, 3)]));
  const decoded = decodeServer(
    Buffer.concat([bytes(1, Buffer.from('h')), entry('__proto__'), entry('constructor')]),
  );
  assert.deepEqual(
    [...decoded!.queues],
    [
      ['__proto__', 3],
      ['constructor', 3],
    ],
  );
});
