import type { Socket } from 'node:net';
import type { Host } from './host.ts';
import { replaceMethod } from './patch.ts';

/** What is read of pg's Client; the native one has no connection of Node's. */
interface Client {
  readonly connection?: { readonly stream?: Socket };
}

/**
 * A connection that a run's query has a pool open is the pool's as soon as it is connected. It is handed on to whoever waits in the callbacks of
 * its socket, which have the context of the run that opened it: the queries of all others look as that run's own.
 */
export function patchPool(exported: unknown, { network }: Host): () => void {
  if (network === undefined) return () => {};
  const { prototype } = exported as { prototype: object };
  return replaceMethod(prototype, 'emit', (original) => {
    return function (this: unknown, ...args) {
      if (args[0] === 'connect') network.pooled(() => (args[1] as Client).connection?.stream);
      return original.apply(this, args);
    };
  });
}
