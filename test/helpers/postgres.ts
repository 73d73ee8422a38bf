import { spawnSync } from 'node:child_process';
import { chownSync, copyFileSync, globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { startServer } from './server-process.ts';

export interface PostgresServer {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** Ends it with all of its connections, and removes its folder. */
  stop(): Promise<void>;
}

/** Whom Debian's package makes for the server, which refuses to be root's. */
const ACCOUNT = 'postgres';
const USER = 'taskwarden';
const PASSWORD = 'secret';

/** Why PostgreSQL cannot be had here, or false when it can: fit for the `skip` option of a test. */
export function postgresMissing(): string | false {
  if (folderOfPrograms() === undefined)
    return 'PostgreSQL is not installed (Debian: apt-get install postgresql), so pg has no server to talk to';
  return runsAs(...asAccount(), 'true')
    ? false
    : `PostgreSQL cannot be run here: setpriv is missing, or root finds no user ${ACCOUNT}`;
}

/**
 * A throwaway PostgreSQL on a free port of 127.0.0.1, in a temporary folder, which asks for a password (SCRAM). With the PEM files of a
 * certificate it takes TLS, too. It ends with the process that started it, however that ends.
 */
export async function startPostgres(tls?: {
  readonly cert: string;
  readonly key: string;
}): Promise<PostgresServer> {
  const programs = folderOfPrograms()!;
  const folder = mkdtempSync(join(tmpdir(), 'taskwarden-postgres-'));
  const [data, password] = [join(folder, 'data'), join(folder, 'password')];
  writeFileSync(password, PASSWORD);
  const files = [folder, password];
  const ssl: string[] = [];
  for (const [kind, file] of Object.entries(tls ?? {})) {
    const copy = join(folder, kind);
    copyFileSync(file, copy);
    files.push(copy);
    ssl.push('-c', `ssl_${kind}_file=${copy}`);
  }
  if (process.getuid?.() === 0) for (const file of files) chownSync(file, id('-u'), id('-g'));

  const [setpriv, ...options] = asAccount();
  const login = ['--username', USER, '--auth', 'scram-sha-256', '--pwfile', password];
  const made = spawnSync(
    setpriv,
    [...options, join(programs, 'initdb'), '--pgdata', data, ...login, '--no-sync', '--no-locale'],
    { encoding: 'utf8' },
  );
  if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`);
  const port = await freePort();
  const settings = ['listen_addresses=127.0.0.1', `unix_socket_directories=${folder}`, 'fsync=off'];
  const server = startServer(setpriv, [
    ...options,
    join(programs, 'postgres'),
    ...['-D', data, '-p', String(port)],
    ...settings.flatMap((setting) => ['-c', setting]),
    ...(tls === undefined ? [] : ['-c', 'ssl=on', ...ssl]),
  ]);
  const stop = async (): Promise<void> => {
    // Any other signal waits for clients to leave.
    await server.stop('SIGINT');
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await server.until('ready', () => server.output().includes('ready to accept connections'));
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, user: USER, password: PASSWORD, stop };
}

/** Debian has them off the PATH, by version. */
function folderOfPrograms(): string | undefined {
  return globSync('/usr/lib/postgresql/*/bin/postgres')
    .at(-1)
    ?.replace(/\/postgres$/, '');
}

function asAccount(): [program: string, ...options: string[]] {
  const account = ['--reuid', ACCOUNT, '--regid', ACCOUNT, '--clear-groups'];
  return ['setpriv', ...(process.getuid?.() === 0 ? account : []), '--pdeathsig', 'KILL'];
}

function runsAs(program: string, ...args: string[]): boolean {
  return spawnSync(program, args, { stdio: 'ignore' }).status === 0;
}

function id(what: '-u' | '-g'): number {
  return Number(spawnSync('id', [what, ACCOUNT], { encoding: 'utf8' }).stdout);
}
