import type { HandleType } from '../../bridge/protocol.ts';

/** Something that a run has opened. */
export interface Handle {
  readonly target: object;
  readonly type: HandleType;
}

interface Target {
  /** net.Socket */
  readonly destroyed?: boolean;
  listenerCount?(event: string): number;
  /** WebSocket: 0 connecting, 1 open. */
  readonly readyState?: unknown;
  /** dgram.Socket */
  address?(): unknown;
  /** Timeout: true once it has been cleared, or has fired for the last time. */
  readonly _destroyed?: boolean;
  /** net.Server */
  readonly listening?: boolean;
  /** ChildProcess */
  readonly pid?: number | undefined;
  readonly exitCode?: number | null;
  readonly signalCode?: string | null;
  /** Worker: -1 once it has ended. */
  readonly threadId?: number;
}

/** Whether a handle is open now. What cannot be told is not. Never throws. */
export function isOpen(handle: Handle): boolean {
  try {
    return looksOpen(handle);
  } catch {
    return false;
  }
}

function looksOpen({ target, type }: Handle): boolean {
  const it = target as Target;
  switch (type) {
    case 'socket':
      return isOpenSocket(it);
    case 'timer':
      return it._destroyed === false;
    case 'server':
      return it.listening === true;
    case 'child_process':
      return it.pid !== undefined && it.exitCode === null && it.signalCode === null;
    case 'worker':
      return it.threadId !== undefined && it.threadId !== -1;
  }
}

function isOpenSocket(socket: Target): boolean {
  if (socket.destroyed !== undefined) return !socket.destroyed;
  if (typeof socket.readyState === 'number') return socket.readyState < 2;
  try {
    socket.address?.();
    return true;
  } catch (error) {
    // A UDP socket has no other way to say that it is closed; one that is not bound yet throws something else.
    return (error as { code?: unknown }).code !== 'ERR_SOCKET_DGRAM_NOT_RUNNING';
  }
}

/** Whether a socket is kept by an agent of `http` or `https`: free for the next request, or busy with one. Never throws. */
export function isOfHttpAgent(target: object): boolean {
  try {
    return ((target as Target).listenerCount?.('agentRemove') ?? 0) > 0;
  } catch {
    return false;
  }
}

/** The method by which others would use a handle; undefined where there is none. */
export function useOf({ target, type }: Handle): string | undefined {
  if (type === 'timer' || type === 'server') return undefined;
  return ['write', 'send', 'postMessage'].find(
    (name) => typeof (target as Record<string, unknown>)[name] === 'function',
  );
}
