import {
  asynqBinary,
  asynqMissing,
  collectorBinary,
  goMissing,
  prometheus3Binaries,
} from '../test/helpers/go-programs.ts';

/**
 * `node scripts/collector.ts` builds what test/interop needs from Go modules, unless the cache has it, and prints the
 * paths. Where Go is absent it says so and exits with 0: those tests are then skipped with the same line.
 */
const missing = goMissing();
if (missing) console.log(missing);
else {
  console.log(await collectorBinary());
  for (const path of Object.values(await prometheus3Binaries())) console.log(path);
}
const asynq = asynqMissing();
if (asynq) console.log(asynq);
else
  for (const name of ['asynq', 'asynq-0.18', 'asynq-example'] as const) console.log(await asynqBinary(name));
