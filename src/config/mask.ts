export const MASK = '****';
export const SECRET = /token|passw(or)?d|passphrase|secret|key|credential|authorization/i;

/** A text with user and password of its URLs masked, and query parameters named like a secret. */
export function maskUrls(value: string): string {
  return value
    .replace(/([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/gi, `$1${MASK}@`)
    .replace(/([?&])([^=&#]+)=([^&#\s]*)/g, (whole, start: string, key: string) =>
      SECRET.test(key) ? `${start}${key}=${MASK}` : whole,
    );
}
