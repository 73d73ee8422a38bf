import { keyOf, type Labels, labelValue } from '../model/labels.ts';
import { quote } from './errors.ts';

/**
 * Label sets derived from others. Series keep their label object for life, so whatever is derived from one is kept in a
 * WeakMap under it, and a steady set of series costs no string work from the second evaluation on.
 */

export { keyOf };

const nameless = new WeakMap<Labels, Labels>();

export function dropName(labels: Labels): Labels {
  if (labels.__name__ === undefined) return labels;
  let dropped = nameless.get(labels);
  if (dropped === undefined) {
    dropped = omit(labels, new Set(['__name__']));
    nameless.set(labels, dropped);
  }
  return dropped;
}

export function pick(labels: Labels, names: Iterable<string>): Labels {
  const pairs = [...names].map((name) => [name, labelValue(labels, name)] as const);
  return Object.fromEntries(pairs.filter(([, value]) => value !== ''));
}

export function omit(labels: Labels, names: ReadonlySet<string>): Labels {
  return Object.fromEntries(Object.entries(labels).filter(([name]) => !names.has(name)));
}

/** Labels with one label set, or removed when the value is ''. */
export function withLabel(labels: Labels, name: string, value: string): Labels {
  return value === '' ? omit(labels, new Set([name])) : { ...labels, [name]: value };
}

/** A label set as Prometheus prints it in messages: `{__name__="name", a="b"}`. */
export function formatLabels(labels: Labels): string {
  const pairs = Object.keys(labels)
    .sort()
    .map((label) => `${label}=${quote(labels[label]!)}`);
  return `{${pairs.join(', ')}}`;
}
