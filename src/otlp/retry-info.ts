/** What gRPC servers put into `grpc-status-details-bin` (source: googleapis, google/rpc/status.proto and error_details.proto). */

const RETRY_INFO = /(?:^|\/)google\.rpc\.RetryInfo$/;
const STATUS_DETAILS = 3;
const ANY = { typeUrl: 1, value: 2 };
const RETRY_DELAY = 1;
const DURATION = { seconds: 1, nanos: 2 };

type Field = readonly [number: number, value: number | Uint8Array];

/** How long a server wants to be left alone, ms; undefined where its status has no RetryInfo. */
export function retryDelayMs(status: Uint8Array): number | undefined {
  for (const detail of messages(status, STATUS_DETAILS)) {
    const [type] = messages(detail, ANY.typeUrl);
    if (type === undefined || !RETRY_INFO.test(Buffer.from(type).toString())) continue;
    const [info] = messages(detail, ANY.value);
    const [delay] = info === undefined ? [] : messages(info, RETRY_DELAY);
    return delay === undefined ? 0 : durationMs(delay);
  }
  return undefined;
}

function durationMs(bytes: Uint8Array): number {
  const values = new Map(fields(bytes));
  const number = (field: number): number => Number(values.get(field) ?? 0);
  return number(DURATION.seconds) * 1000 + number(DURATION.nanos) / 1e6;
}

function messages(bytes: Uint8Array, field: number): Uint8Array[] {
  return [...fields(bytes)].flatMap(([number, value]) =>
    number === field && typeof value !== 'number' ? [value] : [],
  );
}

/** Fields of a message in the wire format; those of fixed length are passed over, as none of these messages has any. */
function* fields(bytes: Uint8Array): Generator<Field> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; at < bytes.length; scale *= 0x80) {
      const byte = bytes[at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
    }
    return value;
  };
  while (at < bytes.length) {
    const tag = varint();
    const [number, type] = [Math.floor(tag / 8), tag % 8];
    if (type === 0) yield [number, varint()];
    else if (type === 2) {
      const length = varint();
      yield [number, bytes.subarray(at, at + length)];
      at += length;
    } else at += type === 1 ? 8 : 4;
  }
}
