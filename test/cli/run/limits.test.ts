import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { openLimits, type Wanted } from '../../../src/cli/run/limits.ts';
import { KernelFiles } from '../../../src/host/files.ts';
import { folder } from '../../agent/crashes/parts.ts';

const MIB = 1024 * 1024;

/** A machine whose /proc says that there are these control groups. Paths below its root lead to the same files as without it. */
function machine(cgroup: string, mounts: (root: string) => string[], installed: string[] = []) {
  const root = folder();
  const groups = join(folder(), 'cg');
  mkdirSync(groups);
  mkdirSync(join(root, 'proc/self'), { recursive: true });
  mkdirSync(dirname(join(root, groups)), { recursive: true });
  symlinkSync(groups, join(root, groups));
  writeFileSync(join(root, 'proc/self/cgroup'), cgroup);
  const lines = mounts(groups).map(
    (mount, i) => `${i} 1 0:${i} / ${mount.replace(' ', ' rw - ').replace(/ - (\S+)/, ' - $1 none')}\n`,
  );
  writeFileSync(join(root, 'proc/self/mountinfo'), lines.join(''));
  const host = {
    files: new KernelFiles(root),
    has: (program: string) => installed.includes(program),
    isRoot: true,
    pid: 42,
  };
  return { host, root, groups, read: (name: string) => readFileSync(join(groups, name), 'utf8') };
}

const wanted = (over: Partial<Wanted> = {}): Wanted => ({
  memory: 512 * MIB,
  cpu: 0.5,
  by: undefined,
  ...over,
});

test('control groups v2', () => {
  const { host, groups, read } = machine('0::/app\n', (root) => [`${root} cgroup2 rw`]);
  mkdirSync(join(groups, 'app'));
  const limits = openLimits(wanted(), host);
  const own = `${groups}/app/taskwarden-42`;
  assert.equal(limits.about, `memory 512M, cpu 0.5 by cgroup v2: ${own}`);
  assert.equal(read('app/cgroup.subtree_control'), '+memory +cpu');
  assert.equal(read('app/taskwarden-42/memory.max'), String(512 * MIB));
  assert.equal(read('app/taskwarden-42/memory.swap.max'), '0');
  assert.equal(read('app/taskwarden-42/cpu.max'), '50000 100000');
  assert.deepEqual(limits.prefix.slice(0, 2), ['/bin/sh', '-c']);
  assert.deepEqual(limits.prefix.slice(-2), ['1', own]);
  writeFileSync(`${own}/memory.events`, 'low 0\noom 3\noom_kill 2\n');
  assert.equal(limits.oomKills(), 2);
});

test('control groups v1', () => {
  const { host, groups, read } = machine('4:memory:/m\n1:cpu,cpuacct:/c\n', (root) => [
    `${root}/memory cgroup rw,memory`,
    `${root}/cpu cgroup rw,cpu,cpuacct`,
  ]);
  for (const path of ['memory/m', 'cpu/c']) mkdirSync(join(groups, path), { recursive: true });
  const limits = openLimits(wanted({ cpu: 1.5 }), host);
  assert.match(limits.about, /^memory 512M, cpu 1\.5 by cgroup v1: /);
  assert.equal(read('memory/m/taskwarden-42/memory.limit_in_bytes'), String(512 * MIB));
  assert.equal(read('cpu/c/taskwarden-42/cpu.cfs_quota_us'), '150000');
  assert.equal(read('cpu/c/taskwarden-42/cpu.cfs_period_us'), '100000');
  writeFileSync(
    join(groups, 'memory/m/taskwarden-42/memory.oom_control'),
    'oom_kill_disable 0\noom_kill 1\n',
  );
  assert.equal(limits.oomKills(), 1);
});

test('without control groups that may be written: systemd where it runs, else what Node.js can be told', () => {
  const { host, root } = machine('', () => [], ['systemd-run', 'prlimit']);
  const byNode = openLimits(wanted(), host);
  assert.match(
    byNode.about,
    /^memory 512M by --max-old-space-size=384 and prlimit --data=1073741824; --cpu 0\.5 is not in force \(cgroup: no control group for memory is to be seen; systemd-run: systemd does not run here\)$/,
  );
  assert.deepEqual(byNode.nodeOptions, ['--max-old-space-size=384']);
  assert.deepEqual(byNode.prefix, ['prlimit', '--data=1073741824']);
  assert.match(openLimits(wanted({ memory: undefined }), host).about, /^--cpu 0\.5 is not in force/);

  mkdirSync(join(root, 'run/systemd/system'), { recursive: true });
  const bySystemd = openLimits(wanted(), host);
  assert.equal(bySystemd.about, 'memory 512M, cpu 0.5 by systemd-run --scope');
  assert.deepEqual(
    bySystemd.prefix.filter((part) => part.includes('=')),
    ['MemoryMax=536870912', 'MemorySwapMax=0', 'CPUQuota=50%'],
  );
  assert.throws(
    () => openLimits(wanted({ by: 'cgroup' }), host),
    /cannot be put in force: cgroup: no control group/,
  );
});

test('without prlimit, and without limits', () => {
  const { host } = machine('', () => []);
  assert.deepEqual(openLimits(wanted({ by: 'node' }), host).prefix, []);
  const none = openLimits(wanted({ memory: undefined, cpu: undefined }), host);
  assert.deepEqual([none.about, none.prefix, none.nodeOptions], ['', [], []]);
});
