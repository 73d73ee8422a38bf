import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, suite, test } from 'node:test';
import type { Client, ClientConfig, Pool } from 'pg';
import { Modules } from '../../src/instrument/load.ts';
import { replaceMethod } from '../../src/instrument/patch.ts';
import { watchTimers } from '../../src/instrument/timers.ts';
import { HandleMeter } from '../../src/tasks/meters/handles.ts';
import { Tally } from '../../src/tasks/tally.ts';
import { type Certificates, makeCertificates, opensslMissing } from '../helpers/certificates.ts';
import { type CountingServers, startCountingServers } from '../helpers/counting-servers.ts';
import { networkSide, until } from '../helpers/network-side.ts';
import { type PostgresServer, postgresMissing, startPostgres } from '../helpers/postgres.ts';

const GRACE_MS = 10_000;
const LATER = 1e9;
const KINDS = { 'in the clear': false, 'over TLS': { rejectUnauthorized: false } } as const;

/** Whose a connection of `pg` is, with a real server behind a relay that counts. */
suite('pg', { skip: postgresMissing() || opensslMissing() }, () => {
  const tally = new Tally();
  let certificates: Certificates;
  let postgres: PostgresServer;
  let relays: CountingServers;
  let handles: HandleMeter;
  let main: ReturnType<typeof networkSide>;
  let pg: Pick<typeof import('pg'), 'Client' | 'Pool'>;
  const undo: (() => void)[] = [];

  before(async () => {
    certificates = makeCertificates();
    postgres = await startPostgres(certificates.server);
    relays = startCountingServers();
    main = networkSide(50, (meter) => {
      handles = new HandleMeter({
        graceMs: GRACE_MS,
        tally,
        replace: replaceMethod,
        above: (socket) => meter.above(socket),
        onDropped: () => assert.fail('more handles than are looked after'),
        onError: (error) => assert.fail(String(error)),
      });
      return handles;
    });
    const modules = new Modules({
      host: { tasks: main.tasks, sdk: main.sdk, network: main.meter },
      onError: (part, error) => assert.fail(`${part}: ${error}`),
      warn: (text) => assert.fail(text),
    });
    const stopTimers = watchTimers({
      graceMs: GRACE_MS,
      opened: (run, timer) => handles.opened(run, timer, 'timer'),
    });
    undo.push(stopTimers, handles.start(), () => modules.stop(), main.stop);
    pg = (await import('pg')).default;
    assert.deepEqual(
      modules.instrumented.map(({ library, outcome }) => [library, outcome]),
      [['pg-pool', 'instrumented']],
    );
  });
  after(async () => {
    for (const each of undo) each();
    await Promise.all([postgres.stop(), relays.stop()]);
    certificates.remove();
    assert.deepEqual(main.faults, []);
  });

  async function way(ssl: ClientConfig['ssl']): Promise<ClientConfig & { readonly port: number }> {
    const { user, password, port } = postgres;
    return { host: '127.0.0.1', port: await relays.relay(port), user, password, database: 'postgres', ssl };
  }

  async function end(pool: Pool): Promise<void> {
    let left = pool.totalCount;
    const gone = new Promise<void>((done) => pool.on('remove', () => --left === 0 && done()));
    await pool.end();
    await gone;
  }

  const ask = (of: Client | Pool, bytes: number): Promise<unknown> =>
    of.query("select repeat('x', $1::int) as x", [bytes]);

  /** Handles that are open when their grace is over. */
  function open(): Record<string, number> {
    handles.check(LATER);
    tally.flush(main.outbox);
    main.drain();
    return Object.fromEntries([...main.tallies].filter(([, count]) => count !== 0));
  }

  for (const [kind, ssl] of Object.entries(KINDS)) {
    test(`a client that a run opens and ends is the run's, ${kind}`, async () => {
      const config = await way(ssl);
      const task = `own ${kind}`;
      const run = await main.run(task, async () => {
        const client = new pg.Client(config);
        await client.connect();
        for (const bytes of [10, 1000, 300_000]) await ask(client, bytes);
        await client.end();
      });
      const { sent, received } = await relays.counts(config.port);
      assert.ok(sent > 300_000);
      assert.deepEqual([run.bytesIn, run.bytesOut], [sent, received]);
      assert.equal(main.traffic('shared', config.port), undefined);
      assert.deepEqual(open(), {});
    });

    test(`what concurrent runs send through a pool is shared, ${kind}`, async () => {
      const config = await way(ssl);
      const pool = new pg.Pool({ ...config, max: 4 });
      await Promise.all(Array.from({ length: 4 }, () => ask(pool, 1)));
      const runs = await Promise.all(
        Array.from({ length: 50 }, (_, i) =>
          main.run(`${kind} ${i}`, async () => {
            for (let query = 0; query < 4; query++) await ask(pool, 2000);
          }),
        ),
      );
      await end(pool);
      for (const { bytesIn, bytesOut, requests } of runs)
        assert.deepEqual([bytesIn, bytesOut, requests], [0, 0, 0]);
      const { sent, received } = await relays.counts(config.port);
      assert.ok(sent > 50 * 4 * 2000);
      const { bytesIn, bytesOut } = main.traffic('shared', config.port)!;
      assert.deepEqual([bytesIn, bytesOut], [sent, received]);
    });

    test(`a run whose query has a pool connect has the bytes of the handshake alone, ${kind}`, async () => {
      const config = await way(ssl);
      const pool = new pg.Pool({ ...config, max: 1 });
      const others = Promise.withResolvers<void>();
      const task = `opens ${kind}`;
      let handshake: number | undefined;
      pool.once('connect', () => {
        handshake = main.tasks.current()?.bytesIn;
      });
      const opener = main.run(task, async () => {
        await ask(pool, 20_000);
        await others.promise;
      });
      // All of these wait while the one connection is in use: it is handed on in callbacks, which have the context of its opener.
      const waiting = Array.from({ length: 10 }, (_, i) =>
        main.run(`waits ${kind} ${i}`, async () => {
          for (let query = 0; query < 4; query++) await ask(pool, 20_000);
        }),
      );
      for (const { bytesIn, bytesOut } of await Promise.all(waiting))
        assert.deepEqual([bytesIn, bytesOut], [0, 0]);
      others.resolve();
      const run = await opener;
      await end(pool);
      assert.ok(run.bytesIn > 100 && run.bytesIn < 10_000, String(run.bytesIn));
      assert.equal(run.bytesIn, handshake);
      const { sent, received } = await relays.counts(config.port);
      const shared = main.traffic('shared', config.port)!;
      assert.deepEqual(
        [run.bytesIn + shared.bytesIn!, run.bytesOut + shared.bytesOut!],
        [sent, received],
        'all is counted once',
      );
    });

    test(`a client that a run leaves open is a leak, that of a pool is none once another run has used it, ${kind}`, async () => {
      const config = await way(ssl);
      const pool = new pg.Pool({ ...config, max: 1 });
      let client!: Client;
      const [leaks, opens] = [`leaks ${kind}`, `pools ${kind}`];
      const leaking = await main.run(leaks, async () => {
        client = new pg.Client(config);
        await client.connect();
        await ask(client, 1);
      });
      await main.run(opens, () => ask(pool, 1));
      assert.equal(leaking.extra?.openHandles, 1);
      assert.deepEqual(open(), { [`${leaks} socket`]: 1, [`${opens} socket`]: 1 }, 'nobody else so far');
      await main.run(`uses ${kind}`, () => ask(pool, 1));
      assert.deepEqual(open(), { [`${leaks} socket`]: 1 });
      const closed = once(client, 'end');
      await Promise.all([client.end(), closed, end(pool)]);
      await until('the leak is closed', () => Object.keys(open()).length === 0);
    });
  }
});
