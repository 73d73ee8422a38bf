import type { Labels } from '../model/labels.ts';
import { execute } from './template/execute.ts';
import { FUNCTIONS, labelMap, type TemplateEnvironment } from './template/functions.ts';
import { type ParsedTemplate, parse } from './template/parse.ts';
import type { Value } from './template/values.ts';

export type { TemplateEnvironment } from './template/functions.ts';
export { TemplateSyntaxError } from './template/syntax.ts';

/** A Go template of a label or an annotation, parsed once. */
export interface Template {
  readonly text: string;
  /** Undefined where the text has no action and stands for itself. */
  readonly parsed: ParsedTemplate | undefined;
}

/** What a template says about: one sample of the rule's result. */
export interface TemplateData {
  /** Labels of the sample, `__name__` included. */
  readonly labels: Labels;
  readonly externalLabels: Labels;
  readonly value: number;
}

const VARIABLES = ['$labels', '$externalLabels', '$externalURL', '$value'];

/** @throws TemplateSyntaxError */
export function parseTemplate(text: string): Template {
  const isFunction = (name: string) => name === 'and' || name === 'or' || name in FUNCTIONS;
  return { text, parsed: text.includes('{{') ? parse(text, VARIABLES, isFunction) : undefined };
}

/** A template whose text is known to be right, parsed when it is first used, which for most alerts is never. */
export function laterTemplate(text: string): Template {
  let template: Template | undefined;
  return {
    text,
    get parsed() {
      template ??= parseTemplate(text);
      return template.parsed;
    },
  };
}

/** The text of a template. Never throws: a failure gives `<error expanding template: reason>`, as in Prometheus. */
export function expandTemplate(
  template: Template,
  data: TemplateData,
  environment: TemplateEnvironment,
): string {
  if (template.parsed === undefined) return template.text;
  const fields = new Map<string, Value>([
    ['Labels', labelMap(data.labels)],
    ['ExternalLabels', labelMap(data.externalLabels)],
    ['ExternalURL', environment.externalUrl],
    ['Value', data.value],
  ]);
  const variables = new Map([...fields.values()].map((value, at) => [VARIABLES[at]!, value]));
  try {
    return execute(template.parsed, { type: 'template.tmplData', fields }, variables, environment);
  } catch (error) {
    return `<error expanding template: ${error instanceof Error ? error.message : String(error)}>`;
  }
}
