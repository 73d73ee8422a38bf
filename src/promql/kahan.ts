/** A sum with the rounding error carried along (Kahan's algorithm as improved by Neumaier). */
export class KahanSum {
  sum = 0;
  error = 0;

  add(value: number): void {
    const total = this.sum + value;
    if (!Number.isFinite(total) && !Number.isNaN(total)) this.error = 0;
    else if (Math.abs(this.sum) >= Math.abs(value)) this.error += this.sum - total + value;
    else this.error += value - total + this.sum;
    this.sum = total;
  }

  get value(): number {
    return this.sum + this.error;
  }
}

/** A mean that turns to an incremental form where the sum would overflow (source: Prometheus, promql/engine.go). */
export class Mean {
  #sum = new KahanSum();
  #count = 0;
  #incremental = false;

  add(value: number): void {
    const count = ++this.#count;
    if (!this.#incremental) {
      const { sum, error } = this.#sum;
      this.#sum.add(value);
      if (count === 1 || Number.isFinite(this.#sum.sum) || Number.isNaN(this.#sum.sum)) return;
      this.#incremental = true;
      this.#sum.sum = sum / (count - 1);
      this.#sum.error = error / (count - 1);
    }
    const weight = (count - 1) / count;
    this.#sum.sum *= weight;
    this.#sum.error *= weight;
    this.#sum.add(value / count);
  }

  get value(): number {
    const { sum, error } = this.#sum;
    return this.#incremental ? sum + error : sum / this.#count + error / this.#count;
  }
}

/** Population variance by Welford's method, as Prometheus has it over series. */
export class Variance {
  #count = 0;
  #mean = 0;
  #squares = 0;

  add(value: number): void {
    this.#count++;
    const delta = value - this.#mean;
    this.#mean += delta / this.#count;
    this.#squares += delta * (value - this.#mean);
  }

  get value(): number {
    return this.#squares / this.#count;
  }
}

/** The same with both running figures summed with care, as Prometheus has it over time. */
export class CarefulVariance {
  #count = 0;
  readonly #mean: KahanSum;
  readonly #squares: KahanSum;

  constructor(Sum: typeof KahanSum) {
    this.#mean = new Sum();
    this.#squares = new Sum();
  }

  add(value: number): void {
    this.#count++;
    const delta = value - this.#mean.value;
    this.#mean.add(delta / this.#count);
    this.#squares.add(delta * (value - this.#mean.value));
  }

  get value(): number {
    return this.#squares.value / this.#count;
  }
}

/** The q-quantile of values by linear interpolation; sorts them. NaN sorts first. */
export function quantile(q: number, values: number[]): number {
  if (values.length === 0 || Number.isNaN(q)) return Number.NaN;
  if (q < 0) return Number.NEGATIVE_INFINITY;
  if (q > 1) return Number.POSITIVE_INFINITY;
  values.sort(ascending);
  const rank = q * (values.length - 1);
  const lower = Math.max(0, Math.floor(rank));
  const upper = Math.min(values.length - 1, lower + 1);
  const weight = rank - Math.floor(rank);
  if (weight === 0) return values[lower]!;
  return values[lower]! * (1 - weight) + values[upper]! * weight;
}

/** Orders numbers with NaN before all others. */
export function ascending(a: number, b: number): number {
  if (Number.isNaN(a)) return Number.isNaN(b) ? 0 : -1;
  if (Number.isNaN(b)) return 1;
  return a - b || 0;
}
