import type { Redis } from 'ioredis';

/** Tasks that one script call makes. */
const BATCH = 20_000;

/** Jobs of a BullMQ queue as its scripts leave them: of ten, seven waiting, one of a priority, one delayed, one completed. */
const BULLMQ = `
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

/** A queue of BullMQ with so many tasks. */
export async function fillBullmq(redis: Redis, queue: string, tasks: number): Promise<void> {
  for (let from = 1; from <= tasks; from += BATCH)
    await redis.eval(BULLMQ, 1, `bull:${queue}:`, from, Math.min(tasks, from + BATCH - 1), Date.now());
}

/** Tasks of asynq as its client leaves them, each with a payload of 100 bytes: ready, or in as many groups as there are tasks, 100,000 at most. */
const ASYNQ = `
local body = string.rep('x', 160)
for i = tonumber(ARGV[1]), tonumber(ARGV[2]) do
  local id = 'task-' .. i
  redis.call('HSET', KEYS[1] .. 't:' .. id, 'msg', body, 'state', ARGV[3], 'pending_since', ARGV[4])
  if ARGV[3] == 'pending' then redis.call('LPUSH', KEYS[1] .. 'pending', id)
  else
    local group = 'user-' .. (i % 100000)
    redis.call('SADD', KEYS[1] .. 'groups', group)
    redis.call('ZADD', KEYS[1] .. 'g:' .. group, i, id)
  end
end`;

/** A queue of asynq with so many tasks, all ready or all in groups. */
export async function fillAsynq(
  redis: Redis,
  queue: string,
  tasks: number,
  state: 'pending' | 'aggregating' = 'pending',
): Promise<void> {
  await redis.sadd('asynq:queues', queue);
  // As of a queue that has been worked on: other programs read these, too.
  const day = new Date().toISOString().slice(0, 10);
  const counters = ['processed', 'failed', `processed:${day}`, `failed:${day}`];
  await redis.mset(counters.flatMap((name) => [`asynq:{${queue}}:${name}`, 1000]));
  const since = `${Date.now()}000000`;
  for (let from = 1; from <= tasks; from += BATCH)
    await redis.eval(ASYNQ, 1, `asynq:{${queue}}:`, from, Math.min(tasks, from + BATCH - 1), state, since);
}
