import type { Reply } from './system.ts';

/** What a poll came to; `ok` and what Redis, or the way to it, said instead. */
export type Outcome =
  | 'ok'
  | 'slow'
  | 'gone'
  | 'wrong_type'
  | 'standby'
  | 'no_lease'
  | 'unreachable'
  | 'timeout'
  | 'loading'
  | 'noauth'
  | 'noperm'
  | 'maxclients'
  | 'cluster'
  | 'readonly'
  | 'oom'
  | 'error';

/** Beginnings of Redis's error replies. */
const BY_CODE: Readonly<Record<string, Outcome>> = {
  LOADING: 'loading',
  BUSY: 'loading',
  MASTERDOWN: 'unreachable',
  NOAUTH: 'noauth',
  WRONGPASS: 'noauth',
  NOPERM: 'noperm',
  WRONGTYPE: 'wrong_type',
  READONLY: 'readonly',
  OOM: 'oom',
  MOVED: 'cluster',
  ASK: 'cluster',
  TRYAGAIN: 'cluster',
  CROSSSLOT: 'cluster',
  CLUSTERDOWN: 'cluster',
};

/** Texts of errors whose code says too little. */
const BY_TEXT: readonly (readonly [RegExp, Outcome])[] = [
  [/max number of clients/i, 'maxclients'],
  [/invalid (username-)?password|without any password|AUTH <password>/i, 'noauth'],
  [/timed? ?out/i, 'timeout'],
  [/cluster/i, 'cluster'],
  [
    /ECONN|ENOTFOUND|EHOST|ENET|EPIPE|EAI_AGAIN|closed|sentinel|writeable|certificate|TLS|SSL/i,
    'unreachable',
  ],
];

/** What an error, a reply of Redis or one of the connection, stands for. */
export function outcomeOf(error: Error): Outcome {
  const code = /^[A-Z]+(?= |$)/.exec(error.message)?.[0] ?? '';
  const known = BY_CODE[code] ?? BY_TEXT.find(([pattern]) => pattern.test(error.message))?.[1];
  if (known !== undefined) return known;
  return 'syscall' in error || 'errno' in error ? 'unreachable' : 'error';
}

/** The first error of the replies. */
export function errorIn(replies: readonly Reply[]): Error | undefined {
  return replies.find((reply) => reply instanceof Error);
}
