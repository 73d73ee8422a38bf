/**
 * The order of the variants in a round: rotated by one each round, so that over as many rounds as there are variants each
 * has had every place.
 */
export function rotated<T>(items: readonly T[], round: number): T[] {
  const start = items.length === 0 ? 0 : round % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}

/**
 * Runs every variant once per round, one at a time, and `before` ahead of each round.
 *
 * @returns per variant its results in the order of the rounds.
 */
export async function interleave<V, R>(
  variants: readonly V[],
  rounds: number,
  run: (variant: V, round: number) => Promise<R>,
  before: () => Promise<void> = async () => {},
): Promise<Map<V, R[]>> {
  const results = new Map<V, R[]>(variants.map((variant) => [variant, []]));
  for (let round = 0; round < rounds; round++) {
    await before();
    for (const variant of rotated(variants, round)) results.get(variant)!.push(await run(variant, round));
  }
  return results;
}
