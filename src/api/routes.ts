import type { Clock } from '../model/clock.ts';
import { VERSION } from '../model/package.ts';
import type { Queryable } from '../model/queryable.ts';
import type { RuleGroupView } from '../rules/view.ts';
import type { Metric } from '../store/registry.ts';
import { type Answer, success, text } from './answer.ts';
import { CONTENT_TYPE, exposition, formatFor } from './exposition.ts';
import { metadata } from './metadata.ts';
import type { Parameters } from './parameters.ts';
import { instantQuery, rangeQuery } from './query.ts';
import { alerts, rules } from './rules.ts';
import { labelNames, labelValues, series } from './series.ts';
import type { Turn } from './turn.ts';

/** What the API shows. */
export interface ApiSources {
  readonly queryable: Queryable;
  /** The present time of the store, ms since the Unix epoch. */
  readonly now: Clock;
  readonly rules: () => readonly RuleGroupView[];
  readonly metrics: () => Iterable<Metric>;
  readonly resource: Readonly<Record<string, string | number>>;
}

export interface ApiRequest {
  readonly parameters: Parameters;
  readonly accept: string | undefined;
  readonly turn: Turn;
}

export interface Route {
  readonly answer: (request: ApiRequest) => Answer | Promise<Answer>;
  /** Whether a form may be posted; GET and HEAD always are fine. */
  readonly post?: true;
  /** Answered at once, and to anybody. */
  readonly open?: true;
}

/** The version of Prometheus whose API and PromQL these are, which clients look at to know what they may ask. */
const COMPATIBLE = '3.0.0';
const BUILD = {
  version: COMPATIBLE,
  revision: `taskwarden-${VERSION}`,
  branch: '',
  buildUser: '',
  buildDate: '',
  goVersion: '',
};

/** Finds the route of a path. Paths are compared as they are written, so there is nothing to be escaped from. */
export function createRoutes(sources: ApiSources): (path: string) => Route | undefined {
  const { queryable, resource } = sources;
  const healthy: Route = { answer: () => text('ok\n'), open: true };
  const routes: Readonly<Record<string, Route>> = {
    '/healthz': healthy,
    '/-/healthy': healthy,
    '/-/ready': healthy,
    '/metrics': {
      answer: ({ accept }) => {
        const format = formatFor(accept);
        const body = [...exposition(sources.metrics(), resource, format)];
        return { status: 200, type: CONTENT_TYPE[format], body };
      },
    },
    '/api/v1/query': {
      answer: ({ parameters, turn }) => instantQuery(parameters, sources, turn),
      post: true,
    },
    '/api/v1/query_range': {
      answer: ({ parameters, turn }) => rangeQuery(parameters, sources, turn),
      post: true,
    },
    '/api/v1/series': { answer: ({ parameters, turn }) => series(parameters, queryable, turn), post: true },
    '/api/v1/labels': { answer: ({ parameters }) => labelNames(parameters, queryable), post: true },
    '/api/v1/rules': { answer: ({ parameters }) => rules(parameters, sources.rules()) },
    '/api/v1/alerts': { answer: () => alerts(sources.rules()) },
    '/api/v1/metadata': { answer: ({ parameters }) => metadata(parameters, sources.metrics()) },
    // There are none, which Grafana asks for where a panel shows them.
    '/api/v1/query_exemplars': { answer: () => success(['[]']), post: true },
    '/api/v1/status/buildinfo': { answer: () => success([JSON.stringify(BUILD)]) },
  };
  return (path) => {
    if (Object.hasOwn(routes, path)) return routes[path];
    const name = /^\/api\/v1\/label\/([^/]+)\/values$/.exec(path)?.[1];
    return name === undefined
      ? undefined
      : { answer: ({ parameters }) => labelValues(name, parameters, queryable) };
  };
}
