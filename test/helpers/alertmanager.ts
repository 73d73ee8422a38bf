import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { answers, startServer } from './server-process.ts';

/** An alert as Alertmanager's API tells it. */
export interface KnownAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly generatorURL: string;
  readonly fingerprint: string;
  readonly status: { readonly state: string };
}

export interface Alertmanager {
  readonly url: string;
  /** What it holds as firing; what has ended is not told. */
  alerts(): Promise<KnownAlert[]>;
  /** Fulfils when `ready` holds for the firing alerts. */
  until(what: string, ready: (alerts: readonly KnownAlert[]) => boolean): Promise<KnownAlert[]>;
  stop(): Promise<void>;
}

/** Why there is no Alertmanager here, or false when there is one: fit for the `skip` option of a test. */
export function alertmanagerMissing(): string | false {
  return program() === undefined
    ? 'neither prometheus-alertmanager nor alertmanager is on PATH (Debian: apt-get install prometheus-alertmanager)'
    : false;
}

/** Debian's name for it, or its own. */
function program(): string | undefined {
  return ['prometheus-alertmanager', 'alertmanager'].find(
    (name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0,
  );
}

/** Starts an Alertmanager without a cluster on a free port. */
export async function startAlertmanager(routePrefix = '/'): Promise<Alertmanager> {
  const folder = await mkdtemp(join(tmpdir(), 'taskwarden-alertmanager-'));
  await writeFile(join(folder, 'config.yml'), 'route: {receiver: none}\nreceivers: [{name: none}]\n');
  const origin = `http://127.0.0.1:${await freePort()}`;
  const url = origin + (routePrefix === '/' ? '' : routePrefix);
  const server = startServer(program() ?? 'alertmanager', [
    `--config.file=${join(folder, 'config.yml')}`,
    `--storage.path=${join(folder, 'data')}`,
    `--web.listen-address=${new URL(origin).host}`,
    `--web.route-prefix=${routePrefix}`,
    '--cluster.listen-address=',
  ]);
  const stop = async (): Promise<void> => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await server.until('ready', () => answers(`${url}/-/ready`));
  } catch (error) {
    await stop();
    throw error;
  }
  const alerts = async (): Promise<KnownAlert[]> =>
    (await (await fetch(`${url}/api/v2/alerts`)).json()) as KnownAlert[];
  return {
    url,
    alerts,
    stop,
    async until(what, ready) {
      let known: KnownAlert[] = [];
      await server.until(what, async () => {
        known = await alerts();
        return ready(known);
      });
      return known;
    },
  };
}
