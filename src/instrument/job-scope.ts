import { textHash } from '../tasks/meters/duplicates.ts';

/**
 * What the ids of a worker's jobs are unique within, as a number: two workers have the same where one job can reach both. Made
 * once a worker, of plain data that tells its queue from all others, such as the Redis, the prefix and the name.
 */
export class JobScopes {
  readonly #scopes = new WeakMap<object, number>();

  of(worker: object, identify: () => unknown): number {
    let scope = this.#scopes.get(worker);
    if (scope === undefined) {
      scope = textHash(JSON.stringify(identify()) ?? '');
      this.#scopes.set(worker, scope);
    }
    return scope;
  }
}
