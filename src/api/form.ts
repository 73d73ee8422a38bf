import type { IncomingMessage } from 'node:http';
import { ApiError } from './answer.ts';

/** Longest form that is read, bytes. */
const MAX_FORM = 262_144;

/**
 * The body of a form as it is; '' for any other kind of body.
 * @throws ApiError too_large; canceled when the client leaves, or is too slow for the server's timeout
 */
export async function readForm(request: IncomingMessage): Promise<string> {
  const type = request.headers['content-type'] ?? '';
  if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(type)) return '';
  const tooLarge = (): never => {
    throw new ApiError('too_large', `the form is larger than ${MAX_FORM} bytes`);
  };
  if (Number(request.headers['content-length'] ?? 0) > MAX_FORM) tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MAX_FORM) tooLarge();
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw new ApiError('canceled', 'the request has ended early');
  }
  return Buffer.concat(chunks).toString();
}
