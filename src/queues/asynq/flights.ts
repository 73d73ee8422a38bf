import { elements, integer, text } from '../reply.ts';
import type { Poll } from '../system.ts';
import { decodeWorker } from './messages.ts';
import type { TypeNames } from './type-names.ts';

/** Servers whose tasks are listed one by one have at most so many in flight. */
const MAX_LISTED = 5000;
/** Descriptions read in one poll, and the bytes beyond which one is left unread: it contains the payload. */
const MAX_READ = 500;
const MAX_BYTES = 64 * 1024;

/** A task that a server has in its hands. Times by the clock of that server, ms since the Unix epoch. */
export interface Flight {
  readonly id: string;
  /** As labels have it. */
  readonly type: string;
  readonly queue: string;
  readonly startedMs: number | undefined;
  readonly deadlineMs: number | undefined;
}

/** Tasks in flight by id; null for one whose description cannot be, or was not yet, read. */
export type Flights = ReadonlyMap<string, Flight | null>;

export interface Listing {
  /** Key of the hash in which the server lists its tasks. */
  readonly key: string;
  readonly activeWorkers: number;
  /** What it listed at the last poll. */
  readonly before: Flights;
  /** Whether to read what is known already, too: a task that was retried at once is still there, but began anew. */
  readonly again: boolean;
}

/**
 * The tasks in flight of some servers. A description has the payload in it, so it is fetched when its id is new, seldom again, and
 * only where it is small.
 *
 * @returns for each listing what it lists now; undefined where that is not known
 */
export function* readFlights(listings: readonly Listing[], names: TypeNames): Poll<(Flights | undefined)[]> {
  const busy = listings.filter(({ activeWorkers }) => activeWorkers > 0 && activeWorkers <= MAX_LISTED);
  if (busy.length === 0) return listings.map(idle);
  const lists = yield busy.map(({ key }) => ['HKEYS', key] as const);
  const found = new Map<Listing, Map<string, Flight | null>>();
  const fresh: { listing: Listing; id: string }[] = [];
  for (const [at, listing] of busy.entries()) {
    if (!Array.isArray(lists[at])) continue;
    // Both are written at once: the list has lapsed since the description was read, as that will have by the next poll.
    if (lists[at].length === 0 && listing.before.size > 0) {
      found.set(listing, new Map(listing.before));
      continue;
    }
    const flights = new Map<string, Flight | null>();
    found.set(listing, flights);
    for (const id of elements(lists[at]).flatMap((each) => text(each) ?? [])) {
      const known = listing.before.get(id);
      const room = fresh.length < MAX_READ;
      // What there was no room to read has to look new again.
      if (known !== undefined || room) flights.set(id, known ?? null);
      if (room && (known === undefined || (known !== null && listing.again))) fresh.push({ listing, id });
    }
  }
  if (fresh.length > 0) yield* describe(fresh, found, names);
  return listings.map((listing) => found.get(listing) ?? idle(listing));
}

function* describe(
  fresh: readonly { listing: Listing; id: string }[],
  found: ReadonlyMap<Listing, Map<string, Flight | null>>,
  names: TypeNames,
): Poll<void> {
  const lengths = yield fresh.map(({ listing, id }) => ['HSTRLEN', listing.key, id] as const);
  const small = fresh.filter((_, at) => (integer(lengths[at]) ?? Number.POSITIVE_INFINITY) <= MAX_BYTES);
  if (small.length === 0) return;
  const messages = yield small.map(({ listing, id }) => ['HGET', listing.key, id] as const);
  for (const [at, { listing, id }] of small.entries()) {
    const message = messages[at];
    const worker = Buffer.isBuffer(message) ? decodeWorker(message) : undefined;
    // Gone between two commands: it has ended, or the list has lapsed, which the next poll tells.
    if (message === null) {
      if (!listing.before.has(id)) found.get(listing)!.delete(id);
    } else if (worker !== undefined)
      found.get(listing)!.set(id, { id, ...worker, type: names.of(worker.type) });
  }
}

function idle({ activeWorkers }: Listing): Flights | undefined {
  return activeWorkers === 0 ? new Map() : undefined;
}
