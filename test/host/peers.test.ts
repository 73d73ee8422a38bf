import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { Peers } from '../../src/host/peers.ts';

const roots: string[] = [];
after(() => {
  for (const root of roots) rmSync(root, { recursive: true });
});

/** Boot of the machine made of files, ms since the Unix epoch. */
const BOOT_MS = 1_700_000_000_000;

interface FakeProcess {
  readonly id: number;
  /** In its namespaces, outermost first. */
  readonly numbers: readonly number[];
  /** Ticks since the boot. */
  readonly start?: number;
  readonly uts?: string;
  readonly net?: string;
  readonly etcHostname?: string;
  readonly rssKb?: number;
}

function machine(processes: readonly FakeProcess[], files: Readonly<Record<string, string>> = {}) {
  const root = mkdtempSync(join(tmpdir(), 'taskwarden-peers-'));
  roots.push(root);
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const link = (path: string, target: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    symlinkSync(target, join(root, path));
  };
  write('/proc/stat', `cpu 1 2 3\nbtime ${BOOT_MS / 1000}\n`);
  link('/proc/self/ns/uts', 'uts:[1]');
  link('/proc/self/ns/net', 'net:[1]');
  const put = ({ id, numbers, start = 100, uts, net, etcHostname, rssKb = 1000 }: FakeProcess): void => {
    write(
      `/proc/${id}/stat`,
      `${id} (a) b)) S 1 1 1 0 -1 4194304 1 0 0 0 250 50 0 0 20 0 9 0 ${start} 1000 250`,
    );
    write(`/proc/${id}/status`, `Name:\ta\nNSpid:\t${numbers.join('\t')}\nVmRSS:\t   ${rssKb} kB\n`);
    write(`/proc/${id}/io`, 'rchar: 111\nwchar: 222\nread_bytes: 3\n');
    write(
      `/proc/${id}/limits`,
      'Max open files            1024                 4096                 files\n',
    );
    if (uts !== undefined) link(`/proc/${id}/ns/uts`, uts);
    if (net !== undefined) link(`/proc/${id}/ns/net`, net);
    if (etcHostname !== undefined) write(`/proc/${id}/root/etc/hostname`, `${etcHostname}\n`);
  };
  for (const process of processes) put(process);
  for (const [path, text] of Object.entries(files)) write(path, text);
  return {
    peers: new Peers({ root, hostname: 'node-1' }),
    put: (process: FakeProcess) => {
      rmSync(join(root, `/proc/${process.id}`), { recursive: true });
      put(process);
    },
    remove: (id: number) => rmSync(join(root, `/proc/${id}`), { recursive: true }),
    write,
  };
}

const STARTED = BOOT_MS + 60_000;
const one = (peers: Peers, host: string, pid: number, nowMs = 0, startedMs = STARTED) =>
  [...peers.read([{ host, pid, startedMs }], nowMs).values()][0];

test('a process of this host', () => {
  const { peers } = machine([{ id: 40, numbers: [40], uts: 'uts:[1]', net: 'net:[1]' }]);
  const figures = one(peers, 'node-1', 40);
  assert.deepEqual(figures, {
    process: '40 100',
    memory: 1000 * 1024,
    cpuUser: 2.5,
    cpuSystem: 0.5,
    threads: 9,
    descriptors: undefined,
    descriptorLimit: 1024,
    read: 111,
    written: 222,
    network: undefined,
    group: undefined,
  });
  assert.equal(one(peers, 'node-2', 40), undefined);
});

test('a process in a container: its own number, host name and network', () => {
  const { peers, write } = machine([
    { id: 900, numbers: [900, 1], uts: 'uts:[2]', net: 'net:[2]', etcHostname: 'pod-a' },
    { id: 901, numbers: [901, 1], uts: 'uts:[3]', etcHostname: 'pod-b' },
    { id: 1, numbers: [1], uts: 'uts:[1]', rssKb: 77 },
  ]);
  write(
    '/proc/900/net/dev',
    'Inter-|\n face |\n  lo: 5 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0\n eth0: 100 1 0 0 0 0 0 0 200 1 0 0 0 0 0 0\n',
  );
  assert.deepEqual(one(peers, 'pod-a', 1)?.network, { receive: 100, transmit: 200 });
  assert.equal(one(peers, 'node-1', 1)?.memory, 77 * 1024);
  assert.equal(one(peers, 'pod-c', 1), undefined);
});

test('two that could be meant are none', () => {
  const { peers } = machine([
    { id: 900, numbers: [900, 7], uts: 'uts:[2]', etcHostname: 'same' },
    { id: 901, numbers: [901, 7], uts: 'uts:[3]', etcHostname: 'same' },
  ]);
  assert.equal(one(peers, 'same', 7), undefined);
});

test('a process that began after the server cannot be it', () => {
  const { peers } = machine([{ id: 40, numbers: [40], start: 100 * 3600, uts: 'uts:[1]' }]);
  assert.equal(one(peers, 'node-1', 40), undefined);
  assert.notEqual(one(peers, 'node-1', 40, 100_000, STARTED + 3_600_000), undefined);
});

test('the number of a process that ended and was given to another', () => {
  const { peers, put, remove } = machine([{ id: 40, numbers: [40], uts: 'uts:[1]' }]);
  assert.notEqual(one(peers, 'node-1', 40), undefined);
  put({ id: 40, numbers: [40], uts: 'uts:[1]', start: 100 * 3600 });
  assert.equal(one(peers, 'node-1', 40, 1000), undefined);
  remove(40);
  assert.equal(one(peers, 'node-1', 40, 2000), undefined);
});

test('a process that was not found is looked for again after a minute', () => {
  const { peers, write } = machine([]);
  assert.equal(one(peers, 'node-1', 50), undefined);
  write('/proc/50/stat', `50 (a) S 1 1 1 0 -1 4194304 1 0 0 0 250 50 0 0 20 0 9 0 100 1000 250`);
  write('/proc/50/status', 'NSpid:\t50\nVmRSS:\t 10 kB\n');
  assert.equal(one(peers, 'node-1', 50, 59_000), undefined);
  assert.notEqual(one(peers, 'node-1', 50, 61_000), undefined);
});

test('the control group of the process, not that of the watcher', () => {
  const group = (folder: string, procs: string, current: number) => ({
    [`${folder}/cgroup.procs`]: procs,
    [`${folder}/memory.current`]: `${current}\n`,
    [`${folder}/memory.stat`]: 'inactive_file 100\n',
    [`${folder}/memory.max`]: '5000\n',
  });
  const { peers } = machine(
    [
      { id: 40, numbers: [40], uts: 'uts:[1]' },
      { id: 41, numbers: [41], uts: 'uts:[1]' },
      { id: 42, numbers: [42, 1], uts: 'uts:[2]', etcHostname: 'pod' },
    ],
    {
      '/proc/self/mountinfo': '35 24 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n',
      '/proc/40/cgroup': '0::/worker\n',
      '/proc/41/cgroup': '0::/../elsewhere\n',
      '/proc/42/cgroup': '0::/../pod\n',
      ...group('/sys/fs/cgroup/worker', '39\n40\n', 3000),
      ...group('/sys/fs/cgroup', '1\n', 9000),
      ...group('/proc/42/root/sys/fs/cgroup', '42\n', 4000),
    },
  );
  assert.equal(one(peers, 'node-1', 40)?.group?.usage, 3000);
  assert.equal(one(peers, 'node-1', 40)?.group?.limit, 5000);
  assert.equal(one(peers, 'node-1', 41)?.group, undefined);
  assert.equal(one(peers, 'pod', 1)?.group?.usage, 4000);
});

test('a real process', { skip: process.platform !== 'linux' && 'there is no /proc' }, async () => {
  const child = spawn('sh', ['-c', 'echo here; read end'], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  try {
    const [figures] = [
      ...new Peers().read([{ host: hostname(), pid: child.pid!, startedMs: Date.now() }], 0).values(),
    ];
    assert.ok(figures!.memory! > 100_000 && figures!.threads === 1 && figures!.descriptors! >= 3);
  } finally {
    child.kill();
  }
});
