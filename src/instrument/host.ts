import type { Sdk } from '../sdk/sdk.ts';
import type { Tasks } from '../tasks/run.ts';

/** What an instrumentation may use. */
export interface Host {
  readonly tasks: Tasks;
  readonly sdk: Sdk;
}
