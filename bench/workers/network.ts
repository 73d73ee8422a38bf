/** Runs that use the network in each way, and what is counted for them. BENCH_PORTS holds the server's port for each way. */
import { networkSide } from '../../test/helpers/network-side.ts';
import { report } from './report.js';
import { load, WAYS } from './requests.ts';

const ports = JSON.parse(process.env.BENCH_PORTS ?? '{}') as Record<string, number>;
const requests = Number(process.env.BENCH_REQUESTS);

const side = networkSide();
for (const [way, use] of Object.entries(WAYS)) {
  const port = ports[way]!;
  const used = { requests: 0, bytesIn: 0, bytesOut: 0 };
  await load(requests, async (i) => {
    const run = await side.run(way, () => use(port, i));
    used.requests += run.requests;
  });
  for (const run of side.drain().splice(0)) {
    used.bytesIn += run.bytesIn;
    used.bytesOut += run.bytesOut;
  }
  report('used', { way, ...used });
}
side.stop();
process.exit();
