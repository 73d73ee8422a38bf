import type { MetricDefinition } from './definition.ts';

/** Container and host. */
export const MACHINE_METRICS = {
  'container.cpu.time': {
    kind: 'counter',
    startUnknown: true,
    unit: 's',
    source: 'semconv',
    attributes: ['cpu.mode'],
    description: 'CPU time of the control group.',
    quality: 'From cgroup v1 or v2.',
  },
  'container.memory.usage': {
    kind: 'updowncounter',
    unit: 'By',
    source: 'semconv',
    attributes: [],
    description: 'Memory of the control group, page cache included.',
    quality: 'From cgroup v1 or v2.',
  },
  'container.memory.working_set': {
    kind: 'updowncounter',
    unit: 'By',
    source: 'semconv',
    attributes: [],
    description:
      'Memory of the control group less its inactive file cache: what the kernel cannot take back.',
    quality: 'From cgroup v1 or v2.',
  },
  'taskwarden.container.memory.limit': {
    kind: 'gauge',
    unit: 'By',
    source: 'taskwarden',
    attributes: [],
    description:
      'Least memory limit of the control group and its visible parents; absent when there is none.',
    quality: 'From cgroup v1 or v2.',
  },
  'taskwarden.container.cpu.limit': {
    kind: 'gauge',
    unit: '{cpu}',
    source: 'taskwarden',
    attributes: [],
    description:
      'Least CPU quota of the control group and its visible parents, in CPUs; absent when there is none.',
    quality: 'From cgroup v1 or v2.',
  },
  'taskwarden.container.cpu.throttled': {
    kind: 'counter',
    startUnknown: true,
    unit: 's',
    source: 'taskwarden',
    attributes: [],
    description: 'Time that the control group was held back by its CPU quota.',
    quality: 'From cgroup v1 or v2.',
  },
  'taskwarden.container.oom_kills': {
    kind: 'counter',
    startUnknown: true,
    unit: '{kill}',
    source: 'taskwarden',
    attributes: [],
    description: 'Processes of the control group that the kernel killed for memory.',
    quality: 'From cgroup v1 or v2.',
  },
  'taskwarden.container.pressure': {
    kind: 'counter',
    startUnknown: true,
    unit: 's',
    source: 'taskwarden',
    attributes: ['resource'],
    description: 'Time in which some task of the control group waited for cpu, memory or io (PSI, some).',
    quality: 'From cgroup v2.',
  },
  'system.cpu.utilization': {
    kind: 'gauge',
    unit: '1',
    source: 'semconv',
    attributes: [],
    description: 'Share of all CPUs of the machine in use since the last reading.',
    quality: 'From the operating system.',
  },
  'system.memory.usage': {
    kind: 'updowncounter',
    unit: 'By',
    source: 'semconv',
    attributes: ['system.memory.state'],
    description:
      'Memory of the machine: used, available (what programs may still have; with used it makes up all), free (of that, in no use at all).',
    quality: 'From systeminformation on Linux, from Node.js elsewhere.',
  },
  'system.network.io': {
    kind: 'counter',
    startUnknown: true,
    unit: 'By',
    source: 'semconv',
    attributes: ['network.interface.name', 'network.io.direction'],
    description:
      'Bytes through each network interface of the machine, or of the container where it has its own.',
    quality: 'From /proc/net/dev; Linux only, and the first 32 interfaces that carry something.',
  },
  'system.network.errors': {
    kind: 'counter',
    startUnknown: true,
    unit: '{error}',
    source: 'semconv',
    attributes: ['network.interface.name', 'network.io.direction'],
    description: 'Errors on each network interface of the machine, or of the container where it has its own.',
    quality: 'From /proc/net/dev; Linux only, and the first 32 interfaces that carry something.',
  },
} as const satisfies Record<string, MetricDefinition>;
