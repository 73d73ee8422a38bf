/** Where a Redis is. Plain data that can be sent to a thread. */
export interface RedisTarget {
  readonly mode: 'standalone' | 'sentinel' | 'cluster';
  /** The server, or some of the sentinels or of the nodes of a cluster. */
  readonly nodes: readonly RedisNode[];
  /** A unix socket in place of `nodes`. */
  readonly path?: string;
  /** Name of the master that the sentinels watch. */
  readonly master?: string;
  readonly db: number;
  readonly username?: string;
  readonly password?: string;
  readonly tls?: RedisTls;
  readonly readFrom: 'primary' | 'replica';
}

export interface RedisNode {
  readonly host: string;
  readonly port: number;
}

/** What of TLS's options can be sent to a thread: texts in PEM, and words. */
export interface RedisTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly passphrase?: string;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

/** A queue that an instrumentation has seen, and where. */
export interface SeenQueue {
  /** As `messaging.system` has it. */
  readonly system: string;
  readonly queue: string;
  /** Undefined: the library's own. */
  readonly prefix?: string | undefined;
  /** Undefined where it cannot be told as plain data: a client of one's own, functions. A text is an address. */
  readonly redis?: RedisTarget | string | undefined;
}
