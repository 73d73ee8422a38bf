import type { ResourceAttributes } from './resource.ts';

/** The protobuf wire format (protobuf.dev/programming-guides/encoding), as far as OTLP messages that we write ourselves need it. */

/** Whole microseconds, as the clock gives no more. */
export function nanos(ms: number): bigint {
  return BigInt(Math.round(ms * 1000)) * 1000n;
}

/** Attributes as repeated KeyValue of a field. */
export function keyValues(field: number, attributes: ResourceAttributes): Buffer[] {
  return Object.entries(attributes).map(([key, value]) =>
    message(field, text(1, key), message(2, anyValue(value))),
  );
}

function anyValue(value: string | number): Buffer {
  if (typeof value === 'string') return message(1, Buffer.from(value));
  return Number.isInteger(value) && value >= 0 ? varintField(3, value) : double(4, value);
}

export function text(field: number, value: string): Buffer {
  return value === '' ? Buffer.alloc(0) : message(field, Buffer.from(value));
}

/** A length-delimited field that holds all parts. */
export function message(field: number, ...parts: readonly Uint8Array[]): Buffer {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([messageHead(field, size), ...parts]);
}

/** Tag and length of a length-delimited field of `size` bytes. */
export function messageHead(field: number, size: number): Buffer {
  return Buffer.concat([varint((field << 3) | 2), varint(size)]);
}

export function varintField(field: number, value: number): Buffer {
  return Buffer.concat([varint(field << 3), varint(value)]);
}

export function fixed64(field: number, value: bigint): Buffer {
  const bytes = Buffer.alloc(9);
  bytes[0] = (field << 3) | 1;
  bytes.writeBigUInt64LE(value, 1);
  return bytes;
}

export function double(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes[0] = (field << 3) | 1;
  bytes.writeDoubleLE(value, 1);
  return bytes;
}

/** @param value an integer from 0 to 2^53 */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}
