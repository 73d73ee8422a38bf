/** Entry of the agent thread: message in, pipeline out, nothing else. */
import { BroadcastChannel, workerData } from 'node:worker_threads';
import { CHANNEL, I32, type Offer, type ThreadStart } from '../bridge/protocol.ts';
import type { Config } from '../config/config.ts';
import { TaskwardenError } from '../model/errors.ts';
import { warnOnStderr } from './guard.ts';
import { Pipeline } from './pipeline.ts';

const { config, buffer, clockOffset } = workerData as ThreadStart;
const pipeline = new Pipeline(config as Config);
const main = pipeline.watch({ buffer, clockOffset });

const channel = new BroadcastChannel(CHANNEL);
channel.onmessage = (event) => void pipeline.watch((event as { data: Offer }).data);

try {
  await pipeline.load();
  main.announce('watching');
  await pipeline.connect();
  main.announce('exporting');
} catch (error) {
  // Said before the main thread learns of it, as that ends the process.
  if (error instanceof TaskwardenError) warnOnStderr(error.message);
  main.announce(error instanceof TaskwardenError ? 'refused' : 'gone');
  if (!(error instanceof TaskwardenError)) throw error;
}

await answerFlushes();

/** The main thread stands still until it is answered. */
async function answerFlushes(): Promise<void> {
  const { i32 } = main.shared;
  for (;;) {
    const asked = Atomics.load(i32, I32.flushAsked);
    if (asked !== Atomics.load(i32, I32.flushDone)) {
      await pipeline.flush();
      main.answerFlush(asked);
    }
    await Atomics.waitAsync(i32, I32.flushAsked, asked).value;
  }
}
