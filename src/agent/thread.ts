/** Entry of the agent thread: message in, pipeline out, nothing else. */
import { availableParallelism } from 'node:os';
import { BroadcastChannel, type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { Inbox } from '../bridge/inbox.ts';
import { CHANNEL, I32, STATE, slotAt, type ThreadStart } from '../bridge/protocol.ts';
import { ENDED_CHANNEL, type ThreadOffer } from '../bridge/threads.ts';
import type { Config } from '../config/config.ts';
import { TaskwardenError } from '../model/errors.ts';
import { warnOnStderr } from '../model/stderr.ts';
import { writeConsoleByDescriptor } from './console.ts';
import { Pipeline } from './pipeline.ts';

writeConsoleByDescriptor();
const { config, instanceId, ...offer } = workerData as ThreadStart;
const pipeline = new Pipeline(config as Config, { instanceId });
const main = pipeline.watch(offer);
const { i32 } = main.shared;
const isFirst = Atomics.load(i32, I32.agentRestarts) === 0;

/** How long a program that begins has the CPU to itself, and how often it is looked whether it has begun with its work, ms. */
const HEAD_START_MS = 400;
const LOOK_MS = 20;
/** How long after all is loaded what loading took is given back, ms: the first jobs have the CPU to themselves. */
const GIVE_BACK_MS = 500;

/** Memory of the other threads, by thread id. */
const threads = new Map<number, Inbox>();
const offers = new BroadcastChannel(CHANNEL);
offers.onmessage = (event) => watchThread((event as { data: ThreadOffer }).data);
const ends = new BroadcastChannel(ENDED_CHANNEL);
ends.onmessage = (event) => endThread((event as { data: number }).data);

try {
  if (isFirst && availableParallelism() === 1) await untilWorkBegins();
  await pipeline.load();
  main.announce('watching');
  await pipeline.connect();
  main.announce('exporting');
  setTimeout(() => pipeline.giveBackMemory(), GIVE_BACK_MS).unref();
} catch (error) {
  // Only at the start is it the user's mistake, who is told by the end of the process; later a file that is mended may do.
  const isMistake = isFirst && error instanceof TaskwardenError;
  // Said before the main thread learns of it, as that ends the process.
  if (isMistake) warnOnStderr(error.message);
  main.announce(isMistake ? 'refused' : 'gone');
  if (!isMistake) throw error;
}

await answerFlushes();

/**
 * With a single CPU the first job would begin as much later as it takes to load what comes next: a quarter of a second. Ends with that
 * job's begin, and as soon as somebody waits for the agent.
 */
async function untilWorkBegins(): Promise<void> {
  for (let ms = 0; ms < HEAD_START_MS; ms += LOOK_MS) {
    // Slots are used in order.
    if (Atomics.load(i32, slotAt(0) >> 2) !== 0) return;
    if ((await Atomics.waitAsync(i32, I32.agentAwaited, 0, LOOK_MS).value) !== 'timed-out') return;
  }
}

function watchThread(offer: ThreadOffer): void {
  threads.set(offer.threadId, pipeline.watch(offer));
}

/** A thread that was terminated has not said so in its memory. */
function endThread(threadId: number): void {
  const inbox = threads.get(threadId);
  if (inbox !== undefined) Atomics.store(inbox.shared.i32, I32.state, STATE.closed);
  threads.delete(threadId);
}

/** Offers of threads whose end is the reason for a flush may still be waiting behind it. */
function readOffers(): void {
  for (;;) {
    const offer = receiveMessageOnPort(offers as unknown as MessagePort);
    if (offer === undefined) return;
    watchThread(offer.message);
  }
}

/** The main thread stands still until it is answered. */
async function answerFlushes(): Promise<void> {
  for (;;) {
    const asked = Atomics.load(i32, I32.flushAsked);
    if (asked !== Atomics.load(i32, I32.flushDone)) {
      readOffers();
      await pipeline.flush();
      main.answerFlush(asked);
    }
    await Atomics.waitAsync(i32, I32.flushAsked, asked).value;
  }
}
