import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countSpans } from '../../bench/lib/otlp-count.ts';

/** A length-delimited field; lengths up to 16383. */
function field(number: number, ...content: (number[] | Uint8Array)[]): Uint8Array {
  const body = content.flatMap((part) => [...part]);
  const length = body.length < 128 ? [body.length] : [(body.length & 0x7f) | 0x80, body.length >> 7];
  return Uint8Array.from([number * 8 + 2, ...length, ...body]);
}

const message = (...parts: Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));

/** A span: trace_id (1), kind (6, varint), start_time_unix_nano (7, fixed64), flags (16, fixed32). */
const span = field(
  2,
  field(1, new Uint8Array(16).fill(0xff)),
  [6 * 8, 5],
  [7 * 8 + 1, 1, 2, 3, 4, 5, 6, 7, 8],
  [0x85, 0x01, 0, 1, 0, 0],
);

test('counts the spans of all resources and scopes, and nothing else numbered like them', () => {
  const resource = field(1, field(1, [1, 2, 3].fill(0x12)));
  const scope = field(1, [0x0a, 1, 0x61]);
  const schemaUrl = field(3, [0x68]);
  const body = message(
    field(1, resource, field(2, scope, span, span, schemaUrl), field(2, span)),
    field(1, field(2, scope)),
    field(1, field(2, span, ...Array.from({ length: 20 }, () => span))),
  );
  assert.equal(countSpans(body), 24);
  assert.equal(countSpans(new Uint8Array()), 0);
});

test('a message that is cut off is an error, not a smaller count', () => {
  const body = message(field(1, field(2, span)));
  assert.throws(() => countSpans(body.subarray(0, body.length - 1)), RangeError);
});
