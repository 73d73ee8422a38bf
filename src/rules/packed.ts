import { basename, join } from 'node:path';
import type { AlertRule, Compile, RecordingRule, Rule, RuleGroup } from './rule.ts';
import { laterTemplate, type Template } from './template.ts';

/*
 * The shipped rules as the build leaves them: what the YAML of a hundred kilobytes says, in JSON, which a worker's start reads in a
 * tenth of the time and memory.
 */

type Texts = readonly (readonly [name: string, text: string])[];
type PackedRule =
  | (Omit<AlertRule, 'expression' | 'labels' | 'annotations'> & { labels: Texts; annotations: Texts })
  | Omit<RecordingRule, 'expression'>;
type PackedGroup = Omit<RuleGroup, 'rules'> & { readonly rules: readonly PackedRule[] };

/** Rule groups as JSON; of their files the names alone are kept. */
export function packRules(groups: readonly RuleGroup[]): string {
  return JSON.stringify(
    groups.map((group) => ({
      ...group,
      file: basename(group.file),
      rules: group.rules.map(({ expression: _, ...rule }) =>
        rule.kind === 'record'
          ? rule
          : { ...rule, labels: texts(rule.labels), annotations: texts(rule.annotations) },
      ),
    })),
  );
}

/**
 * The groups that {@link packRules} made `text` of.
 *
 * @param folder where their files are
 */
export function unpackRules(text: string, folder: string, compile: Compile): RuleGroup[] {
  return (JSON.parse(text) as PackedGroup[]).map((group) => ({
    ...group,
    // JSON has no undefined: what is left out is none.
    intervalMs: group.intervalMs,
    file: join(folder, group.file),
    rules: group.rules.map((rule) => unpack(rule, compile)),
  }));
}

function unpack(rule: PackedRule, compile: Compile): Rule {
  const expression = compile(rule.expr);
  if (rule.kind === 'record') return { ...rule, expression };
  return { ...rule, expression, labels: templates(rule.labels), annotations: templates(rule.annotations) };
}

function texts(labels: readonly (readonly [string, Template])[]): Texts {
  return labels.map(([name, { text }]) => [name, text]);
}

function templates(labels: Texts): AlertRule['labels'] {
  return labels.map(([name, text]) => [name, laterTemplate(text)]);
}
