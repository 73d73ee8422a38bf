import type {
  ContextAPI,
  ContextManager,
  PropagationAPI,
  TextMapPropagator,
  TraceAPI,
  TracerProvider,
} from '@opentelemetry/api';

/** A copy of @opentelemetry/api that the host has loaded. */
export interface ApiModule {
  trace: TraceAPI;
  context: ContextAPI;
  propagation: PropagationAPI;
}

/** Where all copies of @opentelemetry/api 1.x register what the host's SDK provides. */
export interface ApiGlobals {
  version?: string;
  trace?: TracerProvider;
  context?: ContextManager;
}
const API_KEY = Symbol.for('opentelemetry.js.api.1');

export function apiGlobals(): ApiGlobals | undefined {
  return (globalThis as { [API_KEY]?: ApiGlobals })[API_KEY];
}

type Part = keyof ApiModule;

/** What we put behind the API, by part. */
export interface Ours {
  trace: TracerProvider;
  context: ContextManager;
  propagation: TextMapPropagator;
}

const SETTERS = {
  trace: 'setGlobalTracerProvider',
  context: 'setGlobalContextManager',
  propagation: 'setGlobalPropagator',
} as const satisfies Record<Part, string>;
const PARTS = Object.keys(SETTERS) as readonly Part[];

type Setter = (value: unknown) => boolean;

/**
 * Serves the host through its own copies of @opentelemetry/api, and makes way for whatever the host registers later. All copies
 * share one place, which the first to register marks with its version and which refuses other versions: so all of ours is taken out
 * before the host's comes in, and what the host does not replace goes back in by the host's copy.
 */
export class Registration {
  readonly #ours: Ours;
  readonly #onHostProvider: (provider: TracerProvider) => void;
  readonly #taken = new Set<Part>();
  #serving = false;

  /** @param onHostProvider called when the host has registered a tracer provider after us */
  constructor(ours: Ours, onHostProvider: (provider: TracerProvider) => void) {
    this.#ours = ours;
    this.#onHostProvider = onHostProvider;
  }

  /** True from the moment that our provider is behind the API until the host registers its own. */
  get serving(): boolean {
    return this.#serving && !this.#taken.has('trace');
  }

  add(api: ApiModule): void {
    const setters = originals(api);
    if (!this.#serving) {
      if (!setters.trace(this.#ours.trace)) return;
      this.#serving = true;
      setters.context(this.#ours.context);
      setters.propagation(this.#ours.propagation);
    }
    for (const part of PARTS) {
      const replacement: Setter = (theirs) => this.#makeWay(api, setters, part, theirs);
      Object.assign(api[part], { [SETTERS[part]]: replacement });
    }
  }

  #makeWay(api: ApiModule, setters: Record<Part, Setter>, part: Part, theirs: unknown): boolean {
    if (this.#taken.has(part)) return setters[part](theirs);
    for (const ours of PARTS) if (!this.#taken.has(ours)) api[ours].disable();
    const globals = apiGlobals();
    if (globals !== undefined && Object.keys(globals).every((key) => key === 'version')) {
      delete (globalThis as { [API_KEY]?: ApiGlobals })[API_KEY];
    }
    this.#taken.add(part);
    const accepted = setters[part](theirs);
    for (const ours of PARTS) if (!this.#taken.has(ours)) setters[ours](this.#ours[ours]);
    if (part === 'trace' && accepted) this.#onHostProvider(theirs as TracerProvider);
    return accepted;
  }
}

function originals(api: ApiModule): Record<Part, Setter> {
  const bound = (part: Part): Setter => {
    const owner = api[part] as unknown as Record<string, Setter>;
    return owner[SETTERS[part]]!.bind(owner);
  };
  return { trace: bound('trace'), context: bound('context'), propagation: bound('propagation') };
}
