import type { Redis } from 'ioredis';
import type { Command, Reply } from './system.ts';

/** A connection to a Redis for as long as it lasts: when it fails it is thrown away, and the next poll makes another. */
export interface Link {
  /**
   * Sends commands in one pipeline, one a node in a cluster; error replies are among the replies.
   *
   * @param node which of the nodes that hold keys gets the commands without a key
   * @throws Error when the connection fails, or an answer takes too long
   */
  send(commands: readonly Command[], node?: number): Promise<Reply[]>;
  /** Nodes that hold keys: 1, or the masters of a cluster. */
  nodes(): number;
  close(): void;
}

/** An answer that takes longer does not come. */
export const TIMEOUT_MS = 5000;
const KEYLESS = new Set(['TIME', 'INFO', 'SCAN', 'CLIENT', 'PUBLISH']);

/** One pipeline on one connection. */
export async function pipelined(
  redis: Redis,
  commands: readonly Command[],
  failed: () => Error | undefined = () => undefined,
): Promise<Reply[]> {
  const pipeline = redis.pipeline();
  for (const [name, ...args] of commands) pipeline.callBuffer(name, ...args.map(String));
  const results = (await bounded(pipeline.exec(), redis)) ?? [];
  return results.map(([error, reply]) => {
    if (error === null) return reply as Reply;
    // What is no reply of Redis is a fault of the connection, and holds for all.
    if (error.name !== 'ReplyError') throw failed() ?? error;
    return error;
  });
}

export function isKeyless([name]: Command): boolean {
  return KEYLESS.has(name);
}

/** Ends the connection when an answer takes too long: later ones would come to the wrong question. */
export async function bounded<Value>(
  promise: Promise<Value>,
  connection: { disconnect(): void },
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`timeout: Redis did not answer within ${TIMEOUT_MS / 1000} s`));
      connection.disconnect();
    }, TIMEOUT_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
