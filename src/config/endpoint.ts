import { accessSync, constants } from 'node:fs';
import { resolve } from 'node:path';
import { TaskwardenError } from '../model/errors.ts';
import { MASK, maskUrls } from './mask.ts';

/**
 * A server that alerts are sent to by HTTP. The names are those of Prometheus's HTTP client configuration; texts that are not set
 * are empty.
 */
export interface Endpoint {
  /** Without user and password: those of a URL are in `basicAuth`. */
  readonly url: string;
  readonly basicAuth: { readonly username: string; readonly password: string; readonly passwordFile: string };
  readonly authorization: {
    /** The scheme of the header Authorization. */
    readonly type: string;
    readonly credentials: string;
    readonly credentialsFile: string;
  };
  /** Files are absolute, and PEM. */
  readonly tlsConfig: {
    readonly caFile: string;
    readonly certFile: string;
    readonly keyFile: string;
    readonly serverName: string;
    readonly insecureSkipVerify: boolean;
  };
  readonly headers: Readonly<Record<string, string>>;
  /** Longest time that an answer may take, ms. */
  readonly timeout: number;
}

/** What may be shown of the URL of an Alertmanager. */
export const shownUrl = maskUrls;

/** What may be shown of the URL of a webhook. */
export function shownOrigin(url: string): string {
  const { origin, pathname, search } = new URL(url);
  return pathname === '/' && search === '' ? origin : `${origin}/${MASK}`;
}

/** Address and what else is set, without any secret. */
export function showEndpoint(
  { basicAuth, authorization, tlsConfig, headers }: Endpoint,
  url: string,
): string {
  const parts = {
    basic_auth: basicAuth.username !== '',
    authorization: authorization.credentials + authorization.credentialsFile !== '',
    tls_config: Object.values(tlsConfig).some((value) => value !== '' && value !== false),
    headers: Object.keys(headers).length > 0,
  };
  const names = Object.entries(parts).flatMap(([name, isSet]) => (isSet ? [name] : []));
  return names.length === 0 ? url : `${url} (${names.join(', ')})`;
}

/**
 * The same endpoints with absolute paths, counted from `folder`.
 * @throws TaskwardenError TASKWARDEN_FILE for a file that cannot be read; `option` is named in it
 */
export function locateFiles(given: readonly Endpoint[], option: string, folder: string): readonly Endpoint[] {
  return given.map((one, index) => {
    const located = (key: string, file: string): string => {
      if (file === '') return '';
      const absolute = resolve(folder, file);
      try {
        accessSync(absolute, constants.R_OK);
      } catch (cause) {
        const message = `${option}[${index}].${key}: the file cannot be read: ${(cause as Error).message}`;
        throw new TaskwardenError('TASKWARDEN_FILE', message, { cause });
      }
      return absolute;
    };
    const { basicAuth, authorization, tlsConfig } = one;
    return {
      ...one,
      basicAuth: { ...basicAuth, passwordFile: located('basic_auth.password_file', basicAuth.passwordFile) },
      authorization: {
        ...authorization,
        credentialsFile: located('authorization.credentials_file', authorization.credentialsFile),
      },
      tlsConfig: {
        ...tlsConfig,
        caFile: located('tls_config.ca_file', tlsConfig.caFile),
        certFile: located('tls_config.cert_file', tlsConfig.certFile),
        keyFile: located('tls_config.key_file', tlsConfig.keyFile),
      },
    };
  });
}
