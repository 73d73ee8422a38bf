import type { Labels } from '../model/labels.ts';

const OFFSET_BASIS = 14695981039346656037n;
const PRIME = 1099511628211n;
const MASK = 0xffffffffffffffffn;
const SEPARATOR = 255n;

/**
 * The fingerprint that Prometheus and Alertmanager give a label set, as 16 hex digits: 64-bit FNV-1a over the sorted
 * names and values, each followed by the byte 255 (source: prometheus/common model/signature.go).
 */
export function fingerprint(labels: Labels): string {
  let hash = OFFSET_BASIS;
  for (const name of Object.keys(labels).sort(compareBytes)) {
    hash = step(hashText(hash, name), SEPARATOR);
    hash = step(hashText(hash, labels[name] ?? ''), SEPARATOR);
  }
  return hash.toString(16).padStart(16, '0');
}

function hashText(hash: bigint, text: string): bigint {
  let value = hash;
  for (const byte of Buffer.from(text)) value = step(value, BigInt(byte));
  return value;
}

function step(hash: bigint, byte: bigint): bigint {
  return ((hash ^ byte) * PRIME) & MASK;
}

function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
