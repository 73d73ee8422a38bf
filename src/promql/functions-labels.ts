import { type Labels, labelValue } from '../model/labels.ts';
import type { Sample } from '../model/queryable.ts';
import { type CallNode, type Node, unwrap } from './ast.ts';
import { evaluationError, quote } from './errors.ts';
import { withLabel } from './label-ops.ts';
import { assertUnique } from './plan.ts';
import { compileRegex } from './regex.ts';

export type Relabel = (samples: readonly Sample[]) => Sample[];

/** Applies a change of labels, remembered per label set. */
function relabel(change: (labels: Labels) => Labels): Relabel {
  const known = new WeakMap<Labels, Labels>();
  return (samples) => {
    const result = samples.map(({ labels, value }) => {
      let changed = known.get(labels);
      if (changed === undefined) {
        changed = change(labels);
        known.set(labels, changed);
      }
      return { labels: changed, value };
    });
    assertUnique(result);
    return result;
  };
}

/** @throws TaskwardenError when the pattern or the name of the new label is malformed. */
export function labelReplace(target: string, replacement: string, source: string, pattern: string): Relabel {
  if (!isLabelName(target))
    throw evaluationError(`invalid destination label name in label_replace(): ${target}`);
  const regex = regexOf(pattern);
  const groups = regex.namedGroups();
  return relabel((labels) => {
    const matcher = regex.matcher(labelValue(labels, source));
    if (!matcher.matches()) return labels;
    const value = expand(replacement, (name) => {
      const index = /^\d+$/.test(name) ? Number(name) : groups[name];
      return index === undefined || index > matcher.groupCount() ? '' : (matcher.group(index) ?? '');
    });
    return withLabel(labels, target, value);
  });
}

function regexOf(pattern: string): ReturnType<typeof compileRegex> {
  try {
    return compileRegex(pattern);
  } catch {
    throw evaluationError(`invalid regular expression in label_replace(): ${pattern}`);
  }
}

/** Prometheus 3 takes any UTF-8; bytes of a string that are none have become U+FFFD. */
function isLabelName(name: string): boolean {
  return name !== '' && !name.includes('\ufffd');
}

/** Go's Regexp.Expand: `$1`, `$name`, `${name}` and `$$`; a name is as long as it can be. */
function expand(template: string, group: (name: string) => string): string {
  return template.replace(/\$(?:\$|(\w+)|\{(\w+)\})/g, (whole, bare?: string, braced?: string) => {
    const name = bare ?? braced;
    return name === undefined ? whole.slice(1) : group(name);
  });
}

export function labelJoin(target: string, separator: string, sources: readonly string[]): Relabel {
  if (!isLabelName(target))
    throw evaluationError(`invalid destination label name in label_join(): ${quote(target)}`);
  return relabel((labels) =>
    withLabel(labels, target, sources.map((source) => labelValue(labels, source)).join(separator)),
  );
}

/** Labels that the result of absent() or absent_over_time() has: those that its selector fixes. */
export function absentLabels(call: CallNode): Labels {
  const arg: Node = unwrap(call.args[0]!);
  const selector = arg.kind === 'matrix' ? arg.selector : arg;
  const labels: Record<string, string> = {};
  if (selector.kind !== 'selector') return labels;
  const seen = new Set<string>();
  for (const { name, type, value } of selector.matchers) {
    if (name === '__name__') continue;
    if (type === '=' && !seen.has(name) && value !== '') labels[name] = value;
    else delete labels[name];
    seen.add(name);
  }
  return labels;
}
