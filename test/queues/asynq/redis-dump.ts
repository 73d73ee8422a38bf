import type { Redis } from 'ioredis';

/** What a Redis holds, in a form that is stored as JSON. Binary values are base64. */
export type RedisDump = readonly DumpedKey[];

type DumpedKey = { readonly key: string } & (
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'list'; readonly value: readonly string[] }
  | { readonly type: 'set'; readonly value: readonly string[] }
  | { readonly type: 'zset'; readonly value: readonly (readonly [member: string, score: number])[] }
  | { readonly type: 'hash'; readonly value: readonly (readonly [field: string, value: string])[] }
);

export async function dumpRedis(redis: Redis): Promise<RedisDump> {
  const dump: DumpedKey[] = [];
  for (const key of (await redis.keys('*')).sort()) {
    const type = await redis.type(key);
    if (type === 'string') {
      dump.push({ key, type, value: (await redis.getBuffer(key))!.toString('base64') });
    } else if (type === 'list') {
      const items = await redis.lrangeBuffer(key, 0, -1);
      dump.push({ key, type, value: items.map((item) => item.toString('base64')) });
    } else if (type === 'set') {
      dump.push({ key, type, value: (await redis.smembers(key)).map((item) => btoa(item)).sort() });
    } else if (type === 'zset') {
      const items = await redis.zrange(key, 0, -1, 'WITHSCORES');
      const value = items.flatMap((item, at) =>
        at % 2 === 0 ? [[item, Number(items[at + 1])] as const] : [],
      );
      dump.push({ key, type, value });
    } else if (type === 'hash') {
      const fields = await redis.hgetallBuffer(key);
      const value = Object.entries(fields).map(([field, each]) => [field, each.toString('base64')] as const);
      dump.push({ key, type, value });
    }
  }
  return dump;
}

export async function loadRedis(redis: Redis, dump: RedisDump): Promise<void> {
  const bytes = (text: string) => Buffer.from(text, 'base64');
  for (const each of dump) {
    if (each.type === 'string') await redis.set(each.key, bytes(each.value));
    else if (each.type === 'list') await redis.rpush(each.key, ...each.value.map(bytes));
    else if (each.type === 'set') await redis.sadd(each.key, ...each.value.map(bytes));
    else if (each.type === 'zset')
      for (const [member, score] of each.value) await redis.zadd(each.key, score, member);
    else for (const [field, value] of each.value) await redis.hset(each.key, field, bytes(value));
  }
}
