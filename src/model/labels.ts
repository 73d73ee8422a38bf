/** A set of Prometheus labels or OpenTelemetry attributes with string values. */
export type Labels = Readonly<Record<string, string>>;

/** The value of a label, '' where there is none. */
export function labelValue(labels: Labels, name: string): string {
  return Object.hasOwn(labels, name) ? labels[name]! : '';
}

/** A canonical text of a label set: equal sets give equal keys whatever their order. */
export function labelsKey(labels: Labels): string {
  const parts: string[] = [];
  for (const name of Object.keys(labels).sort()) parts.push(name, labels[name]!);
  // Joined, the text is in one piece; put together by `+` it would take several times its memory for as long as it lives.
  return parts.join('\u0001');
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
