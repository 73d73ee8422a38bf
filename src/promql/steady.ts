import type { Labels } from '../model/labels.ts';

/**
 * Derives something from the label sets of a vector, and gives the same again for as long as the same series come in the same
 * order, which is what most vectors do from one evaluation to the next.
 */
export class Steady<T> {
  readonly #derive: (labels: readonly Labels[]) => T;
  #labels: readonly Labels[] = [];
  #derived: T | undefined;

  constructor(derive: (labels: readonly Labels[]) => T) {
    this.#derive = derive;
  }

  of(samples: readonly { readonly labels: Labels }[]): T {
    if (this.#derived === undefined || !this.#same(samples)) {
      this.#derived = undefined;
      this.#labels = samples.map(({ labels }) => labels);
      this.#derived = this.#derive(this.#labels);
    }
    return this.#derived;
  }

  #same(samples: readonly { readonly labels: Labels }[]): boolean {
    const known = this.#labels;
    if (samples.length !== known.length) return false;
    for (let at = 0; at < known.length; at++) if (samples[at]!.labels !== known[at]) return false;
    return true;
  }
}

/** {@link Steady} for what is derived from the label sets of two vectors. */
export class SteadyPair<T> {
  readonly #derive: (left: readonly Labels[], right: readonly Labels[]) => T;
  // Each gives a new array when its vector has changed.
  readonly #left = new Steady((labels) => labels);
  readonly #right = new Steady((labels) => labels);
  #derived: { readonly of: readonly [unknown, unknown]; readonly value: T } | undefined;

  constructor(derive: (left: readonly Labels[], right: readonly Labels[]) => T) {
    this.#derive = derive;
  }

  of(
    leftSamples: readonly { readonly labels: Labels }[],
    rightSamples: readonly { readonly labels: Labels }[],
  ): T {
    const left = this.#left.of(leftSamples);
    const right = this.#right.of(rightSamples);
    const known = this.#derived;
    if (known !== undefined && known.of[0] === left && known.of[1] === right) return known.value;
    this.#derived = undefined;
    const value = this.#derive(left, right);
    this.#derived = { of: [left, right], value };
    return value;
  }
}
