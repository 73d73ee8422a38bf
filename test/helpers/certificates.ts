import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Files of a certificate authority of one's own and what it has signed, PEM, for an hour's use. */
export interface Certificates {
  readonly ca: string;
  /** For `localhost` and 127.0.0.1. */
  readonly server: { readonly cert: string; readonly key: string };
  readonly client: { readonly cert: string; readonly key: string };
  remove(): void;
}

/** Why there can be no certificates here, or false when there can: fit for the `skip` option of a test. */
export function opensslMissing(): string | false {
  const { status } = spawnSync('openssl', ['version'], { stdio: 'ignore' });
  return status === 0 ? false : 'openssl is not on PATH, so no certificates can be made';
}

export function makeCertificates(): Certificates {
  const folder = mkdtempSync(join(tmpdir(), 'taskwarden-tls-'));
  const openssl = (...args: string[]): void => {
    const { status, stderr } = spawnSync('openssl', args, { cwd: folder, encoding: 'utf8' });
    if (status !== 0) throw new Error(`openssl ${args.join(' ')}: ${stderr}`);
  };
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-subj',
    '/CN=test CA',
    '-days',
    '1',
  );
  const signed = (name: string, extension: string) => {
    const [key, cert] = [`${name}.key`, `${name}.pem`];
    openssl('req', ...newKey, '-keyout', key, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    writeFileSync(join(folder, `${name}.ext`), extension);
    const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '1'];
    openssl('x509', '-req', '-in', `${name}.csr`, ...by, '-out', cert, '-extfile', `${name}.ext`);
    return { cert: join(folder, cert), key: join(folder, key) };
  };
  return {
    ca: join(folder, 'ca.pem'),
    server: signed('server', 'subjectAltName=DNS:localhost,IP:127.0.0.1'),
    client: signed('client', 'extendedKeyUsage=clientAuth'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
