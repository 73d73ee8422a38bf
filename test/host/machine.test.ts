import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { totalmem } from 'node:os';
import { test } from 'node:test';
import { machine } from './fixture.ts';

const HEAD =
  'Inter-|   Receive                                                |  Transmit\n' +
  ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n';

const at = (name: string, direction: string) => ({
  'network.interface.name': name,
  'network.io.direction': direction,
});

test('bytes and errors of interfaces that carry something', async () => {
  const { collector, value, write } = machine({
    '/proc/self/net/dev': `${HEAD}    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0\n  eth0:1079750974   48815    3    0    0     0          0         0  3847074   36179    5    0    0     0       0          0\n`,
  });
  await collector.collectMachine();
  assert.equal(value('system.network.io', at('eth0', 'receive')), 1079750974);
  assert.equal(value('system.network.io', at('eth0', 'transmit')), 3847074);
  assert.equal(value('system.network.errors', at('eth0', 'receive')), 3);
  assert.equal(value('system.network.errors', at('eth0', 'transmit')), 5);
  assert.equal(value('system.network.io', at('lo', 'receive')), undefined);
  write('/proc/self/net/dev', HEAD);
  await collector.collectMachine();
  assert.equal(value('system.network.io', at('eth0', 'receive')), undefined, 'it is gone');
});

test('a machine with many interfaces gets series for some', async () => {
  const lines = Array.from({ length: 500 }, (_, n) => `veth${n}: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n`);
  const { collector, registry } = machine({ '/proc/self/net/dev': HEAD + lines.join('') });
  await collector.collectMachine();
  const io = [...registry.metrics()].find(({ name }) => name === 'system.network.io');
  assert.equal(io?.points.size, 64);
});

test('memory and CPU of the machine', async () => {
  const { collector, value } = machine({});
  const start = process.cpuUsage().user;
  while (process.cpuUsage().user < start + 30_000);
  await collector.collectMachine();
  const memory = (state: string) => value('system.memory.usage', { 'system.memory.state': state })!;
  assert.ok(memory('free') > 0);
  assert.ok(memory('available') >= memory('free') * 0.9);
  assert.equal(memory('used') + memory('available'), totalmem());
  const utilization = value('system.cpu.utilization')!;
  assert.ok(utilization > 0 && utilization <= 1, `${utilization}`);
});

test('calls that overlap share one reading', async () => {
  const { collector } = machine({});
  const first = collector.collectMachine();
  assert.equal(collector.collectMachine(), first);
  await first;
  assert.notEqual(collector.collectMachine(), first);
});

test('nothing starts a process', () => {
  const collector = new URL('../../src/host/collector.ts', import.meta.url);
  const registry = new URL('../../src/store/registry.ts', import.meta.url);
  const code = `
    const { ChildProcess } = await import('node:child_process');
    const childProcess = (await import('node:child_process')).default;
    const started = [];
    for (const name of ['spawnSync', 'execSync', 'execFileSync'])
      childProcess[name] = (...rest) => { started.push(rest[0]); return Buffer.from(''); };
    ChildProcess.prototype.spawn = ({ file }) => { started.push(file); throw new Error('spawned'); };
    const { createHostCollector } = await import('${collector}');
    const { Registry } = await import('${registry}');
    const host = createHostCollector({ registry: new Registry(0, { maxSeriesPerMetric: 100 }) });
    host.collect(1000);
    await host.collectMachine();
    console.log(JSON.stringify(started));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    encoding: 'utf8',
  });
  assert.equal(stdout, '[]\n', stderr);
});
