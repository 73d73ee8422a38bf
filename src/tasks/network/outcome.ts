import type { RequestOutcome } from '../../bridge/protocol.ts';

const TIMEOUTS: ReadonlySet<unknown> = new Set([
  'ETIMEDOUT',
  'ESOCKETTIMEDOUT',
  // What axios makes of its timeout.
  'ECONNABORTED',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

/** By the class of its status. */
export function outcomeOfStatus(status: number): RequestOutcome {
  if (status >= 500) return 'server_error';
  return status >= 400 ? 'client_error' : 'success';
}

/**
 * Of a request that ended in an error. What Node.js and undici find out has a code; an error without one is the caller's own reason to break off.
 */
export function outcomeOfError(error: unknown): RequestOutcome {
  const { code, name, message, cause } = (error ?? {}) as Record<string, unknown>;
  const reason = (cause as { name?: unknown } | undefined)?.name;
  if (TIMEOUTS.has(code) || name === 'TimeoutError' || reason === 'TimeoutError') return 'timeout';
  if (code === 'UND_ERR_ABORTED' || code === 'ABORT_ERR') return 'aborted';
  if (typeof code === 'string') return 'error';
  return /time(d )?.?out/i.test(String(message)) ? 'timeout' : 'aborted';
}

/** Whether the server, or the way to it, is to blame. */
export function isFailure(outcome: RequestOutcome): boolean {
  return outcome === 'server_error' || outcome === 'timeout' || outcome === 'error';
}
