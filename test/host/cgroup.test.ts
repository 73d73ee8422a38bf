import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MetricName } from '../../src/model/metrics.ts';
import { machine } from './fixture.ts';

const USER = { 'cpu.mode': 'user' };
const SYSTEM = { 'cpu.mode': 'system' };

const V2 = '35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n';
const V1 =
  '31 23 0:28 / /sys/fs/cgroup ro - tmpfs tmpfs rw\n' +
  '32 31 0:29 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro master:7 - cgroup cgroup rw,cpu,cpuacct\n' +
  '35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n';

/** Files of a v2 group below /sys/fs/cgroup. */
function v2Group(folder: string): Record<string, string> {
  const at = `/sys/fs/cgroup${folder}`;
  return {
    [`${at}/memory.current`]: '5000\n',
    [`${at}/memory.stat`]: 'anon 1000\nfile 3900\ninactive_file 1200\n',
    [`${at}/memory.max`]: '8000\n',
    [`${at}/memory.events`]: 'low 0\nhigh 0\nmax 7\noom 3\noom_kill 2\noom_group_kill 0\n',
    [`${at}/cpu.stat`]:
      'usage_usec 3500000\nuser_usec 2000000\nsystem_usec 1500000\nnr_throttled 4\nthrottled_usec 250000\n',
    [`${at}/cpu.max`]: '50000 100000\n',
    [`${at}/cpu.pressure`]:
      'some avg10=1.00 avg60=0.50 avg300=0.10 total=4500000\nfull avg10=0 avg60=0 avg300=0 total=9\n',
    [`${at}/memory.pressure`]: 'some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n',
  };
}

function v1Group(memory: string, cpu: string): Record<string, string> {
  return {
    [`${memory}/memory.usage_in_bytes`]: '5000\n',
    [`${memory}/memory.stat`]: 'inactive_file 1\nhierarchical_memory_limit 7000\ntotal_inactive_file 1500\n',
    [`${memory}/memory.limit_in_bytes`]: '9223372036854771712\n',
    [`${memory}/memory.oom_control`]: 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n',
    [`${cpu}/cpuacct.usage_user`]: '2500000000\n',
    [`${cpu}/cpuacct.usage_sys`]: '500000000\n',
    [`${cpu}/cpu.cfs_quota_us`]: '150000\n',
    [`${cpu}/cpu.cfs_period_us`]: '100000\n',
    [`${cpu}/cpu.stat`]: 'nr_periods 9\nnr_throttled 2\nthrottled_time 125000000\n',
  };
}

test('v2: everything of a service', () => {
  const { collector, value } = machine({
    '/proc/self/cgroup': '0::/system.slice/mail.service\n',
    '/proc/self/mountinfo': V2,
    ...v2Group('/system.slice/mail.service'),
  });
  collector.collect(1000);
  assert.equal(value('container.memory.usage'), 5000);
  assert.equal(value('container.memory.working_set'), 3800);
  assert.equal(value('taskwarden.container.memory.limit'), 8000);
  assert.equal(value('taskwarden.container.oom_kills'), 2);
  assert.equal(value('container.cpu.time', USER), 2);
  assert.equal(value('container.cpu.time', SYSTEM), 1.5);
  assert.equal(value('taskwarden.container.cpu.limit'), 0.5);
  assert.equal(value('taskwarden.container.cpu.throttled'), 0.25);
  assert.equal(value('taskwarden.container.pressure', { resource: 'cpu' }), 4.5);
  assert.equal(value('taskwarden.container.pressure', { resource: 'memory' }), 0);
  assert.equal(value('taskwarden.container.pressure', { resource: 'io' }), undefined);
});

test('v2: the least limit of the group and its parents counts', () => {
  const { collector, value } = machine({
    '/proc/self/cgroup': '0::/pod/mail\n',
    '/proc/self/mountinfo': V2,
    ...v2Group('/pod/mail'),
    '/sys/fs/cgroup/pod/mail/memory.max': 'max\n',
    '/sys/fs/cgroup/pod/memory.max': '6000\n',
    '/sys/fs/cgroup/pod/cpu.max': '20000 100000\n',
  });
  collector.collect(1000);
  assert.equal(value('taskwarden.container.memory.limit'), 6000);
  assert.equal(value('taskwarden.container.cpu.limit'), 0.2);
});

test('v2: without limits there are none, and a limit that goes away disappears', () => {
  const own = '/sys/fs/cgroup/mail';
  const { collector, value, write } = machine({
    '/proc/self/cgroup': '0::/mail\n',
    '/proc/self/mountinfo': V2,
    ...v2Group('/mail'),
  });
  collector.collect(1000);
  assert.equal(value('taskwarden.container.memory.limit'), 8000);
  write(`${own}/memory.max`, 'max\n');
  write(`${own}/cpu.max`, 'max 100000\n');
  collector.collect(2000);
  assert.equal(value('taskwarden.container.memory.limit'), undefined);
  assert.equal(value('taskwarden.container.cpu.limit'), undefined);
  assert.equal(value('container.memory.usage'), 5000);
});

test('v2: the namespace of a container shows it as the root', () => {
  for (const path of ['/', '/../../other', '/gone']) {
    const { collector, value } = machine({
      '/proc/self/cgroup': `0::${path}\n`,
      '/proc/self/mountinfo': V2,
      ...v2Group(''),
    });
    collector.collect(1000);
    assert.equal(value('container.memory.usage'), 5000, path);
  }
});

test('v2: without mountinfo the usual mount is taken', () => {
  const { collector, value } = machine({
    '/proc/self/cgroup': '0::/mail\n',
    '/sys/fs/cgroup/cgroup.controllers': 'cpu memory\n',
    ...v2Group('/mail'),
  });
  collector.collect(1000);
  assert.equal(value('container.memory.usage'), 5000);
});

test('v1: a container whose mounts begin at its own group', () => {
  const { collector, value } = machine({
    '/proc/self/cgroup': '5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n',
    '/proc/self/mountinfo': V1,
    ...v1Group('/sys/fs/cgroup/memory', '/sys/fs/cgroup/cpu,cpuacct'),
  });
  collector.collect(1000);
  assert.equal(value('container.memory.usage'), 5000);
  assert.equal(value('container.memory.working_set'), 3500);
  assert.equal(value('taskwarden.container.memory.limit'), 7000);
  assert.equal(value('taskwarden.container.oom_kills'), 1);
  assert.equal(value('container.cpu.time', USER), 2.5);
  assert.equal(value('container.cpu.time', SYSTEM), 0.5);
  assert.equal(value('taskwarden.container.cpu.limit'), 1.5);
  assert.equal(value('taskwarden.container.cpu.throttled'), 0.125);
  assert.equal(value('taskwarden.container.pressure', { resource: 'cpu' }), undefined);
});

test('v1: no limits, and CPU time in ticks where that is all there is', () => {
  const cpu = '/sys/fs/cgroup/cpu,cpuacct';
  const { collector, value, remove, write } = machine({
    '/proc/self/cgroup': '5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n',
    '/proc/self/mountinfo': V1,
    ...v1Group('/sys/fs/cgroup/memory', cpu),
    '/sys/fs/cgroup/memory/memory.stat': 'hierarchical_memory_limit 9223372036854771712\n',
    [`${cpu}/cpu.cfs_quota_us`]: '-1\n',
    [`${cpu}/cpuacct.stat`]: 'user 730\nsystem 20\n',
  });
  remove(`${cpu}/cpuacct.usage_user`);
  remove(`${cpu}/cpuacct.usage_sys`);
  collector.collect(1000);
  assert.equal(value('taskwarden.container.memory.limit'), undefined);
  assert.equal(value('taskwarden.container.cpu.limit'), undefined);
  assert.equal(value('container.memory.working_set'), undefined);
  assert.equal(value('container.cpu.time', USER), 7.3);
  assert.equal(value('container.cpu.time', SYSTEM), 0.2);
  write('/sys/fs/cgroup/memory/memory.stat', 'total_inactive_file 9000\n');
  collector.collect(2000);
  assert.equal(value('container.memory.working_set'), 0);
});

test('hybrid: v1 controllers, and pressure from the unified hierarchy', () => {
  const { collector, value } = machine({
    '/proc/self/cgroup': '4:memory:/job/x\n2:cpuacct:/\n1:cpu:/\n0::/\n',
    '/proc/self/mountinfo':
      '32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n' +
      '33 31 0:30 / /sys/fs/cgroup/cpuacct rw - cgroup cgroup rw,cpuacct\n' +
      '35 31 0:32 / /sys/fs/cgroup/mem\\040ory rw - cgroup cgroup rw,memory\n' +
      '41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n',
    ...v1Group('/sys/fs/cgroup/mem ory/job/x', '/sys/fs/cgroup/cpu'),
    '/sys/fs/cgroup/cpuacct/cpuacct.usage_user': '1000000000\n',
    '/sys/fs/cgroup/unified/io.pressure': 'some avg10=0.00 avg60=0.00 avg300=0.00 total=1000\n',
  });
  collector.collect(1000);
  assert.equal(value('container.memory.usage'), 5000);
  assert.equal(value('container.cpu.time', USER), 1);
  assert.equal(value('container.cpu.time', SYSTEM), undefined);
  assert.equal(value('taskwarden.container.cpu.limit'), 1.5);
  assert.equal(value('taskwarden.container.pressure', { resource: 'io' }), 0.001);
});

test('unknown is absent: no control groups, and files that hold no numbers', () => {
  const names: MetricName[] = [
    'container.memory.usage',
    'container.memory.working_set',
    'taskwarden.container.oom_kills',
  ];
  const nothing = machine({});
  const garbage = machine({
    '/proc/self/cgroup': 'nonsense\n0::/x\n',
    '/proc/self/mountinfo': `what\n${V2}`,
    '/sys/fs/cgroup/x/memory.current': 'soon\n',
    '/sys/fs/cgroup/x/memory.events': 'oom_kill\n',
    '/sys/fs/cgroup/x/cpu.max': '\n',
    '/sys/fs/cgroup/x/cpu.pressure': '\n',
  });
  for (const { collector, registry } of [nothing, garbage]) {
    collector.collect(1000);
    const present = [...registry.metrics()].filter(({ points }) => points.size > 0).map(({ name }) => name);
    assert.deepEqual(
      present.filter((name) => name.includes('container.')),
      [],
    );
    for (const name of names) assert.ok(!present.includes(name));
  }
});
