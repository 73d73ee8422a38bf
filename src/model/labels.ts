/** A set of Prometheus labels or OpenTelemetry attributes with string values. */
export type Labels = Readonly<Record<string, string>>;

/** A canonical text of a label set: equal sets give equal keys whatever their order. */
export function labelsKey(labels: Labels): string {
  let key = '';
  for (const name of Object.keys(labels).sort()) key += `${name}\u0001${labels[name]}\u0002`;
  return key;
}

const keys = new WeakMap<Labels, string>();

/** {@link labelsKey}, remembered: for label sets that live longer than the moment, as those of series do. */
export function keyOf(labels: Labels): string {
  let key = keys.get(labels);
  if (key === undefined) {
    key = labelsKey(labels);
    keys.set(labels, key);
  }
  return key;
}
