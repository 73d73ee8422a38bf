import diagnostics from 'node:diagnostics_channel';
import { registerHooks, syncBuiltinESMExports } from 'node:module';
import { satisfies } from '../model/version.ts';
import type { NetworkMeter } from '../tasks/meters/network.ts';
import { replaceMethod } from './patch.ts';
import { canHook } from './sources.ts';

/**
 * Versions of Node.js whose diagnostics channels tell neither of sockets that `Socket.connect` connects, those of `node:tls` among them, nor
 * of requests of HTTP/2 (24.1: of their begin alone).
 */
const WITHOUT_CHANNELS = '<22.17 || >=23 <24.2';
const HTTP2 = 'node:http2';

type Undo = () => void;

export interface FillOptions {
  /** Absent where the network is not metered. */
  readonly network: Pick<NetworkMeter, 'http2Requested'> | undefined;
  readonly onError: (error: unknown) => void;
  /** Version of Node.js. */
  readonly node?: string;
}

/** Tells of what older versions of Node.js do not tell of themselves; does nothing in others. Gives back what undoes it. */
export function fillChannels({ network, onError, node = process.versions.node }: FillOptions): Undo {
  if (!satisfies(node, WITHOUT_CHANNELS)) return () => {};
  const undo: Undo[] = [];
  const attempt = (fill: () => Undo): void => {
    try {
      undo.push(fill());
    } catch (error) {
      onError(error);
    }
  };
  attempt(publishConnections);
  if (network !== undefined)
    attempt(() => onceLoaded(node, () => attempt(() => replaceRequest(network, onError))));
  return () => {
    for (const each of undo) each();
  };
}

/** As newer versions do. What comes from `net.connect` is an array, and is published already. */
function publishConnections(): Undo {
  const channel = diagnostics.channel('net.client.socket');
  return replaceMethod(process.getBuiltinModule('node:net').Socket.prototype, 'connect', (original) => {
    return function (this: unknown, ...args) {
      if (!Array.isArray(args[0])) channel.publish({ socket: this });
      return original.apply(this, args);
    };
  });
}

/** Calls back when HTTP/2 is loaded. It takes 15 ms and 6 MB to load, which workers are spared that do not, wherever that can be seen. */
function onceLoaded(node: string, call: () => void): Undo {
  const { moduleLoadList } = process as { moduleLoadList?: readonly string[] };
  if (moduleLoadList?.includes('NativeModule http2') || !canHook(node)) {
    call();
    return () => {};
  }
  const hooks = registerHooks({
    load(url, context, nextLoad) {
      if (url === HTTP2) {
        hooks.deregister();
        call();
      }
      return nextLoad(url, context);
    },
  });
  return () => hooks.deregister();
}

/** Replaces `request` of all sessions. Their class is no export: the first session shows it. */
function replaceRequest(
  network: Pick<NetworkMeter, 'http2Requested'>,
  onError: FillOptions['onError'],
): Undo {
  let undoRequest: Undo | undefined;
  const undo = replaceMethod(process.getBuiltinModule(HTTP2), 'connect', (original) => {
    return function (this: unknown, ...args) {
      const session = original.apply(this, args);
      try {
        undoRequest ??= replaceMethod(Object.getPrototypeOf(session), 'request', (request) => {
          return function (this: unknown, ...of) {
            const stream = request.apply(this, of);
            network.http2Requested(stream as Parameters<NetworkMeter['http2Requested']>[0]);
            return stream;
          };
        });
      } catch (error) {
        onError(error);
      }
      return session;
    };
  });
  syncBuiltinESMExports();
  return () => {
    undo();
    undoRequest?.();
    syncBuiltinESMExports();
  };
}
