/**
 * Runs of one request each, with the network meter (BENCH_METER=on) or without. Reports the CPU time of a request in each round. A
 * process has one or the other: to put the meter in and out again makes V8 forget what it has compiled for sockets.
 */
import { mainSide, runInfo } from '../../test/helpers/main-side.ts';
import { networkSide } from '../../test/helpers/network-side.ts';
import { report } from './report.js';
import { load, WAYS } from './requests.ts';

const { BENCH_WAY, BENCH_METER, BENCH_PORT, BENCH_REQUESTS, BENCH_ROUNDS } = process.env;
const requests = Number(BENCH_REQUESTS);
const use = WAYS[BENCH_WAY!]!;
const { tasks, drain } = BENCH_METER === 'on' ? networkSide() : mainSide();

function cpuUs(): number {
  const { user, system } = process.threadCpuUsage?.() ?? process.cpuUsage();
  return user + system;
}

// What comes before the first round is compiled meanwhile.
for (let round = -2; round < Number(BENCH_ROUNDS); round++) {
  const before = cpuUs();
  await load(requests, async (i) => {
    await tasks.run(
      () => runInfo({ task: BENCH_WAY! }),
      () => use(Number(BENCH_PORT), i),
    );
    if (i % 100 === 0) drain().splice(0);
  });
  if (round >= 0) report('round', { us: (cpuUs() - before) / requests });
}
process.exit();
