import type { Sdk } from '../sdk/sdk.ts';
import { patchSandbox, patchWorker } from './bullmq.ts';
import type { Host } from './host.ts';
import { patchBreaker } from './opossum.ts';
import { patchPool } from './pg-pool.ts';

export interface Target {
  /** End of the file's path within the package, for each copy that the package ships. */
  readonly files: readonly string[];
  /** Name of the package's own folder, where a file is called as so many are that each of them would be looked at. */
  readonly folder?: string;
  /** Of the package, where not all that are supported have the files. */
  readonly versions?: string;
  /** Name of the export that is handed to `install`, or `*` for all exports. */
  readonly export: string;
  /** Gives back what undoes it. */
  readonly install: (exported: never, host: Host) => () => void;
}

export interface Library {
  readonly name: string;
  /** Versions that the tests run against, as comparators. */
  readonly versions: string;
  /** What is in a script together only where a bundler has put the library into it. */
  readonly inlined?: readonly RegExp[];
  readonly targets: readonly Target[];
}

const OTEL_API = {
  export: '*',
  install: (api: Parameters<Sdk['apiLoaded']>[0], { sdk }: Host) => {
    sdk.apiLoaded(api);
    return () => {};
  },
};

/** Every library that Taskwarden knows. */
export const LIBRARIES: readonly Library[] = [
  {
    name: 'bullmq',
    versions: '>=5 <7',
    // Names that nobody else has a use for; in brackets, so that this text is not taken for one.
    inlined: [/callProcessJo[b]/, /nextJobFromJobDat[a]/, /moveStalledJobsToWai[t]/],
    targets: [
      {
        files: ['dist/cjs/classes/worker.js', 'dist/esm/classes/worker.js'],
        export: 'Worker',
        install: patchWorker,
      },
      {
        files: ['dist/cjs/classes/child-processor.js', 'dist/esm/classes/child-processor.js'],
        export: 'ChildProcessor',
        install: patchSandbox,
      },
    ],
  },
  {
    name: 'opossum',
    versions: '>=10 <11',
    targets: [{ files: ['lib/circuit.js'], export: '*', install: patchBreaker }],
  },
  {
    name: 'pg-pool',
    versions: '>=3 <4',
    targets: [{ files: ['index.js'], folder: 'pg-pool', export: '*', install: patchPool }],
  },
  {
    name: '@opentelemetry/api',
    versions: '>=1 <2',
    targets: [
      { ...OTEL_API, files: ['build/src/index.js', 'build/esm/index.js'], versions: '<1.10' },
      {
        ...OTEL_API,
        files: ['dist/index.cjs', 'dist/index.mjs'],
        folder: '@opentelemetry/api',
        versions: '>=1.10',
      },
    ],
  },
];
