import { readFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import type { Endpoint } from '../config/endpoint.ts';
import { VERSION } from '../model/package.ts';

/**
 * Headers and certificates of a request. Files are read anew for every request, as tokens and certificates are renewed while the
 * process runs; requests are few.
 * @throws Error when a file cannot be read
 */
export function requestOptions(endpoint: Endpoint): RequestOptions {
  const { caFile, certFile, keyFile, serverName, insecureSkipVerify } = endpoint.tlsConfig;
  const authorization = authorizationOf(endpoint);
  return {
    headers: {
      'Content-Type': 'application/json',
      'User-Agent': `taskwarden/${VERSION}`,
      ...(authorization !== undefined && { Authorization: authorization }),
      ...endpoint.headers,
    },
    ...(caFile !== '' && { ca: readFileSync(caFile) }),
    ...(certFile !== '' && { cert: readFileSync(certFile), key: readFileSync(keyFile) }),
    ...(serverName !== '' && { servername: serverName }),
    ...(insecureSkipVerify && { rejectUnauthorized: false }),
  };
}

function authorizationOf({ basicAuth, authorization }: Endpoint): string | undefined {
  const { username, password, passwordFile } = basicAuth;
  if (username !== '') {
    const secret = passwordFile === '' ? password : readSecret(passwordFile);
    return `Basic ${Buffer.from(`${username}:${secret}`).toString('base64')}`;
  }
  const { type, credentials, credentialsFile } = authorization;
  const secret = credentialsFile === '' ? credentials : readSecret(credentialsFile);
  return secret === '' ? undefined : `${type} ${secret}`;
}

/** A file written by an editor ends in a line feed, which is no part of the secret. */
function readSecret(file: string): string {
  return readFileSync(file, 'utf8').trim();
}
