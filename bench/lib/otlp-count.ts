/**
 * Number of spans in an ExportTraceServiceRequest (protobuf): resource_spans (field 1) → scope_spans (2) → spans (2).
 *
 * @throws RangeError when the bytes are cut off.
 */
export function countSpans(body: Uint8Array): number {
  let spans = 0;
  for (const resource of fields(body, 1)) {
    for (const scope of fields(resource, 2)) spans += [...fields(scope, 2)].length;
  }
  return spans;
}

/** The length-delimited fields numbered `wanted` of one protobuf message; others are stepped over. */
function* fields(message: Uint8Array, wanted: number): Generator<Uint8Array> {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = message[at++];
      if (byte === undefined) throw new RangeError('truncated protobuf message');
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const key = varint();
    const number = Math.floor(key / 8);
    const wire = key % 8;
    if (wire === 0) varint();
    else if (wire === 1) at += 8;
    else if (wire === 5) at += 4;
    else if (wire === 2) {
      const length = varint();
      if (at + length > message.length) throw new RangeError('truncated protobuf message');
      if (number === wanted) yield message.subarray(at, at + length);
      at += length;
    } else throw new RangeError(`unknown wire type ${wire}`);
  }
}
