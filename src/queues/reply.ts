import type { Reply } from './system.ts';

/** What a reply says, where it says anything: errors, missing values and values of another shape are undefined. */

export function integer(reply: Reply | undefined): number | undefined {
  const value = Buffer.isBuffer(reply) ? numeric(reply.toString('latin1')) : reply;
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

export function text(reply: Reply | undefined): string | undefined {
  return Buffer.isBuffer(reply) ? reply.toString('utf8') : undefined;
}

/** Elements of an array; none where there is no array. */
export function elements(reply: Reply | undefined): readonly Reply[] {
  return Array.isArray(reply) ? (reply as readonly Reply[]) : [];
}

/** Cursor and elements of SCAN, SSCAN, …; undefined for an error. */
export function scanned(reply: Reply | undefined): { cursor: string; found: readonly Reply[] } | undefined {
  const [cursor, found] = elements(reply);
  const at = text(cursor);
  return at === undefined ? undefined : { cursor: at, found: elements(found) };
}

/** A text that SCAN's MATCH takes literally. */
export function literal(text: string): string {
  return text.replace(/[\\*?[\]^]/g, '\\$&');
}

function numeric(digits: string): number | undefined {
  return digits === '' ? undefined : Number(digits);
}
