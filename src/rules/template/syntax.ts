/** What is wrong with a template's text, and where: an offset in UTF-16 units. */
export class TemplateSyntaxError extends Error {
  override readonly name = 'TemplateSyntaxError';
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(`template: ${message}`);
    this.offset = offset;
  }
}

/** One argument of a command. `at` is its offset in the text. */
export type Operand = { readonly at: number } & (
  | { readonly kind: 'dot' | 'nil' }
  | { readonly kind: 'constant'; readonly value: string | number | bigint | boolean }
  | { readonly kind: 'field'; readonly path: readonly string[] }
  | { readonly kind: 'variable'; readonly name: string; readonly path: readonly string[] }
  | { readonly kind: 'chain'; readonly base: Operand; readonly path: readonly string[] }
  | { readonly kind: 'function'; readonly name: string }
  | { readonly kind: 'pipe'; readonly pipe: Pipe }
);

export interface Pipe {
  /** Variables that it declares (`:=`) or assigns (`=`); two only in `range`. */
  readonly variables: readonly string[];
  readonly assign: boolean;
  readonly commands: readonly (readonly Operand[])[];
}

export type TemplateNode =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly pipe: Pipe }
  | {
      readonly kind: 'if' | 'with' | 'range';
      readonly pipe: Pipe;
      readonly body: readonly TemplateNode[];
      readonly otherwise: readonly TemplateNode[];
    }
  | { readonly kind: 'template'; readonly name: string; readonly pipe: Pipe | undefined }
  | { readonly kind: 'break' | 'continue' };
