/** A set of Prometheus labels or OpenTelemetry attributes with string values. */
export type Labels = Readonly<Record<string, string>>;

/** A canonical text of a label set: equal sets give equal keys whatever their order. */
export function labelsKey(labels: Labels): string {
  let key = '';
  for (const name of Object.keys(labels).sort()) key += `${name}\u0001${labels[name]}\u0002`;
  return key;
}
