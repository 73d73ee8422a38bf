import { BroadcastChannel, threadId, type Worker } from 'node:worker_threads';
import { monotonicMs, threadMs } from '../model/clock.ts';
import { CHANNEL, type Offer, type Told } from './protocol.ts';

/** What a thread that shares the agent of its process says of itself. */
export interface ThreadOffer extends Offer {
  threadId: number;
}

/** Name of the channel on which the ids of threads that have ended are told; each message is one id. */
export const ENDED_CHANNEL = 'taskwarden.ended';

/** Offers this thread's memory to the agent, which must be listening: what is sent before that is lost. */
export function offerThread(buffer: SharedArrayBuffer, told: Told): void {
  const clockOffset = monotonicMs() - threadMs();
  const offer: ThreadOffer = { buffer, clockOffset, told, threadId };
  send(CHANNEL, offer);
}

/**
 * Tells the agent of the end of every thread that this one starts from now on. A thread that is terminated, or dies of its
 * heap's limit, cannot do so itself, and would look blocked for ever.
 */
export function reportEndedThreads(): () => void {
  const started = (worker: Worker): void => {
    const id = worker.threadId;
    worker.once('exit', () => send(ENDED_CHANNEL, id));
  };
  process.on('worker', started);
  return () => void process.off('worker', started);
}

function send(name: string, message: unknown): void {
  const channel = new BroadcastChannel(name);
  channel.postMessage(message);
  channel.close();
}
