import type { Redis } from 'ioredis';

/** Tasks that one script call makes. */
const BATCH = 20_000;

/** Jobs of a BullMQ queue as its scripts leave them: of ten, seven waiting, one of a priority, one delayed, one completed. */
const SCRIPT = `
local K, from, upto, now = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
for id = from, upto do
  redis.call('HSET', K .. id, 'name', 'task', 'data', '{"n":1}', 'opts', '{"attempts":1}', 'timestamp', now, 'delay', 0, 'priority', 0)
  local kind = id % 10
  if kind < 7 then redis.call('LPUSH', K .. 'wait', id)
  elseif kind == 7 then redis.call('ZADD', K .. 'prioritized', (1 + id % 3) * 4294967296 + id, id)
  elseif kind == 8 then redis.call('ZADD', K .. 'delayed', (now + 3600000 + id) * 4096, id)
  else redis.call('ZADD', K .. 'completed', now, id) end
end
redis.call('SET', K .. 'id', upto)
redis.call('HSET', K .. 'meta', 'opts.maxLenEvents', 10000, 'version', 'bullmq:6.7.0')`;

/** A queue with so many tasks. */
export async function fill(redis: Redis, queue: string, tasks: number): Promise<void> {
  for (let from = 1; from <= tasks; from += BATCH)
    await redis.eval(SCRIPT, 1, `bull:${queue}:`, from, Math.min(tasks, from + BATCH - 1), Date.now());
}
