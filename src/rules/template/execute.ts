import { FUNCTIONS, type TemplateEnvironment } from './functions.ts';
import type { ParsedTemplate } from './parse.ts';
import type { Operand, Pipe, TemplateNode } from './syntax.ts';
import {
  display,
  isList,
  isMap,
  isStruct,
  isTrue,
  sortedEntries,
  TemplateExecError,
  typeName,
  type Value,
} from './values.ts';

/** Bounds of one expansion: nodes run, characters made, templates called within each other. */
const MAX_STEPS = 100_000;
const MAX_OUTPUT = 64 * 1024;
const MAX_CALLS = 100;

type Signal = 'break' | 'continue' | undefined;

interface Variable {
  readonly name: string;
  value: Value;
}

/**
 * Runs a parsed template on `dot` with predefined variables (source: Go text/template/exec, `missingkey=zero`).
 * @throws TemplateExecError, or what the query throws
 */
export function execute(
  template: ParsedTemplate,
  dot: Value,
  variables: ReadonlyMap<string, Value>,
  environment: TemplateEnvironment,
): string {
  return new Executor(template, environment).run(dot, variables);
}

class Executor {
  readonly #template: ParsedTemplate;
  readonly #environment: TemplateEnvironment;
  #scope: Variable[] = [];
  #output = '';
  #steps = 0;
  #calls = 0;

  constructor(template: ParsedTemplate, environment: TemplateEnvironment) {
    this.#template = template;
    this.#environment = environment;
  }

  run(dot: Value, variables: ReadonlyMap<string, Value>): string {
    this.#scope = [{ name: '$', value: dot }];
    for (const [name, value] of variables) this.#scope.push({ name, value });
    this.#list(this.#template.nodes, dot);
    return this.#output;
  }

  #list(nodes: readonly TemplateNode[], dot: Value): Signal {
    for (const node of nodes) {
      if (++this.#steps > MAX_STEPS) throw new TemplateExecError(`more than ${MAX_STEPS} steps`);
      const signal = this.#node(node, dot);
      if (signal !== undefined) return signal;
    }
    return undefined;
  }

  #node(node: TemplateNode, dot: Value): Signal {
    switch (node.kind) {
      case 'text':
        this.#write(node.text);
        return undefined;
      case 'action': {
        const value = this.#pipe(node.pipe, dot);
        if (node.pipe.variables.length === 0)
          this.#write(value === undefined ? '<no value>' : display(value));
        return undefined;
      }
      case 'template':
        this.#call(node.name, node.pipe === undefined ? undefined : this.#pipe(node.pipe, dot));
        return undefined;
      case 'break':
      case 'continue':
        return node.kind;
      default: {
        const depth = this.#scope.length;
        const signal = node.kind === 'range' ? this.#range(node, dot) : this.#branch(node, dot);
        this.#scope.length = depth;
        return signal;
      }
    }
  }

  #branch(node: Extract<TemplateNode, { kind: 'if' | 'with' | 'range' }>, dot: Value): Signal {
    const value = this.#pipe(node.pipe, dot);
    if (!isTrue(value)) return this.#list(node.otherwise, dot);
    return this.#list(node.body, node.kind === 'with' ? value : dot);
  }

  #range(node: Extract<TemplateNode, { kind: 'if' | 'with' | 'range' }>, dot: Value): Signal {
    const { pipe } = node;
    const value = this.#pipe(pipe, dot);
    const entries = rangeEntries(value);
    if (entries.length === 0) return this.#list(node.otherwise, dot);
    const depth = this.#scope.length;
    for (const [key, item] of entries) {
      this.#scope.length = depth;
      const [first, second] = pipe.variables;
      if (first !== undefined) this.#bind(first, second === undefined ? item : key, pipe.assign);
      if (second !== undefined) this.#bind(second, item, pipe.assign);
      if (this.#list(node.body, item) === 'break') break;
    }
    return undefined;
  }

  #call(name: string, dot: Value): void {
    const nodes = this.#template.defined.get(name);
    if (nodes === undefined) throw new TemplateExecError(`template "${name}" not defined`);
    if (++this.#calls > MAX_CALLS) throw new TemplateExecError('exceeded maximum template depth');
    const outer = this.#scope;
    this.#scope = [{ name: '$', value: dot }];
    this.#list(nodes, dot);
    this.#scope = outer;
    this.#calls--;
  }

  #pipe(pipe: Pipe, dot: Value): Value {
    let value: Value;
    pipe.commands.forEach((command, at) => {
      value = this.#command(command, dot, at === 0 ? [] : [value]);
    });
    if (pipe.variables.length === 1) this.#bind(pipe.variables[0]!, value, pipe.assign);
    return value;
  }

  #command(command: readonly Operand[], dot: Value, piped: readonly Value[]): Value {
    const [first, ...args] = command;
    if (first === undefined) return undefined;
    if (first.kind === 'function') return this.#function(first.name, args, dot, piped);
    if (args.length + piped.length > 0) throw new TemplateExecError("can't give argument to non-function");
    if (first.kind === 'nil') throw new TemplateExecError('nil is not a command');
    return this.#operand(first, dot);
  }

  #operand(operand: Operand, dot: Value): Value {
    switch (operand.kind) {
      case 'dot':
        return dot;
      case 'nil':
        return undefined;
      case 'constant':
        return operand.value;
      case 'field':
        return operand.path.reduce(field, dot);
      case 'variable':
        return operand.path.reduce(field, this.#variable(operand.name).value);
      case 'chain':
        return operand.path.reduce(field, this.#operand(operand.base, dot));
      case 'function':
        return this.#function(operand.name, [], dot, []);
      case 'pipe':
        return this.#pipe(operand.pipe, dot);
    }
  }

  #function(name: string, operands: readonly Operand[], dot: Value, piped: readonly Value[]): Value {
    if (name === 'and' || name === 'or') return this.#shortCircuit(name, operands, dot, piped);
    const known = FUNCTIONS[name]!;
    const args = [...operands.map((operand) => this.#operand(operand, dot)), ...piped];
    const many = known.takes.endsWith('*');
    const takes = many ? known.takes.slice(0, -1) : known.takes;
    const least = many ? takes.length - 1 : takes.length;
    if (args.length < least || (!many && args.length > least))
      throw new TemplateExecError(
        `wrong number of args for ${name}: want ${many ? 'at least ' : ''}${least} got ${args.length}`,
      );
    for (const [at, value] of args.entries()) checkType(takes[Math.min(at, takes.length - 1)]!, value);
    return known.call(args, this.#environment);
  }

  #shortCircuit(
    name: 'and' | 'or',
    operands: readonly Operand[],
    dot: Value,
    piped: readonly Value[],
  ): Value {
    let value: Value;
    if (operands.length + piped.length === 0)
      throw new TemplateExecError(`wrong number of args for ${name}: want at least 1 got 0`);
    for (const operand of operands) {
      value = this.#operand(operand, dot);
      if (isTrue(value) === (name === 'or')) return value;
    }
    return piped.length > 0 ? piped[0] : value;
  }

  #bind(name: string, value: Value, assign: boolean): void {
    if (assign) this.#variable(name).value = value;
    else this.#scope.push({ name, value });
  }

  #variable(name: string): Variable {
    const found = this.#scope.findLast((variable) => variable.name === name);
    if (found === undefined) throw new TemplateExecError(`undefined variable: ${name}`);
    return found;
  }

  #write(text: string): void {
    if (this.#output.length + text.length > MAX_OUTPUT)
      throw new TemplateExecError(`more than ${MAX_OUTPUT} characters`);
    this.#output += text;
  }
}

function field(value: Value, name: string): Value {
  // A missing key of a text map is its zero value, the empty text.
  if (isMap(value)) return value.get(name) ?? '';
  if (value === undefined) throw new TemplateExecError(`nil data; no entry for key "${name}"`);
  if (isStruct(value) && value.fields.has(name)) return value.fields.get(name);
  throw new TemplateExecError(`can't evaluate field ${name} in type ${typeName(value)}`);
}

function rangeEntries(value: Value): [Value, Value][] {
  if (isList(value)) return value.map((item, at) => [BigInt(at), item]);
  if (isMap(value)) return sortedEntries(value);
  throw new TemplateExecError(`range can't iterate over ${display(value)}`);
}

const WANTED: Readonly<Record<string, string>> = { s: 'string', v: 'a query result' };

function checkType(want: string, value: Value): void {
  const fits = want === 'a' || (want === 's' ? typeof value === 'string' : isList(value));
  if (!fits)
    throw new TemplateExecError(`wrong type for value; expected ${WANTED[want]}; got ${typeName(value)}`);
}
