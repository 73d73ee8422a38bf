import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { ApiError } from './answer.ts';

export interface AdmissionOptions {
  /** Names under which the API may be asked, in lower case, beside `localhost` and IP addresses. */
  readonly hosts: readonly string[];
  /** What requests must carry; '' where they need nothing. */
  readonly token: string;
}

/** Says who may ask. It throws an ApiError for a request that is refused. */
export type Admission = (headers: IncomingHttpHeaders, needsToken: boolean) => void;

/**
 * A browser on this machine reaches the loopback interface for every page that it shows. A page that has its own name resolved to
 * 127.0.0.1 is told by the Host header, which still has that name; one that asks from elsewhere by Origin and Sec-Fetch-Site.
 */
export function createAdmission({ hosts, token }: AdmissionOptions): Admission {
  const expected = digest(`Bearer ${token}`);
  return (headers, needsToken) => {
    const host = nameOf(headers.host);
    if (host !== 'localhost' && isIP(host) === 0 && !hosts.includes(host))
      throw new ApiError(
        'forbidden',
        `host ${JSON.stringify(host)} is not allowed: the option http_hosts may name it`,
      );
    if (headers.origin !== undefined && headers.origin !== `http://${headers.host}`)
      throw new ApiError('forbidden', 'requests from other sites are not allowed');
    const site = headers['sec-fetch-site'];
    if (site !== undefined && site !== 'same-origin' && site !== 'none')
      throw new ApiError('forbidden', 'requests from other sites are not allowed');
    if (!needsToken || token === '') return;
    const given = (headers.authorization ?? '').replace(/^bearer +/i, 'Bearer ');
    // Digests have one length, and what they are of cannot be told from the time that comparing takes.
    if (!timingSafeEqual(digest(given), expected))
      throw new ApiError('unauthorized', 'a token is needed: Authorization: Bearer …', {
        'WWW-Authenticate': 'Bearer',
      });
  };
}

/** The name in a Host header: without the port, the brackets of IPv6 and a final dot. */
function nameOf(host = ''): string {
  return host
    .toLowerCase()
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
