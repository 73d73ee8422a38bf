import { alertsUrl } from '../alerts/alertmanager.ts';
import { OUTCOMES, type Post } from '../alerts/delivery.ts';
import { Notifier, type SinkKind, type Target } from '../alerts/notifier.ts';
import { requestOptions } from '../alerts/request-options.ts';
import type { Config } from '../config/config.ts';
import { type Endpoint, shownOrigin, shownUrl } from '../config/endpoint.ts';
import { monotonicMs, wallClock } from '../model/clock.ts';
import { HostLookup } from '../otlp/lookup.ts';
import { httpClient } from '../otlp/post.ts';
import type { ResourceAttributes } from '../otlp/resource.ts';
import { fingerprint } from '../rules/fingerprint.ts';
import type { Registry } from '../store/registry.ts';
import { type Alerting, targetLabels } from './alerting.ts';
import type { Guard } from './guard.ts';
import { createTelling } from './telling.ts';

export interface NotifyingOptions {
  readonly config: Pick<Config, 'alertmanagers' | 'webhooks' | 'externalLabels' | 'externalUrl'>;
  readonly registry: Registry;
  readonly resource: ResourceAttributes;
  readonly alerting: Pick<Alerting, 'alerts'>;
  readonly guard: Guard;
  readonly warn: (text: string) => void;
}

/** Alertmanagers and webhooks, as the configuration names them. */
export async function openNotifier(options: NotifyingOptions): Promise<Notifier> {
  const { config, registry, resource, alerting, guard, warn } = options;
  const { alertmanagers, webhooks, externalLabels, externalUrl } = config;
  const targets = await Promise.all([
    ...alertmanagers.map((one) => open('alertmanager', one, alertsUrl(one.url), shownUrl(one.url), warn)),
    ...webhooks.map((one) => open('webhook', one, new URL(one.url), shownOrigin(one.url), warn)),
  ]);
  // A first increment is one to `increase` only where there was a 0.
  for (const { sink } of targets)
    for (const outcome of OUTCOMES) registry.add('taskwarden.notifications', { sink, outcome }, 0);
  return new Notifier({
    targets,
    labels: { ...externalLabels, ...targetLabels(resource) },
    externalUrl,
    fingerprint,
    alerts: () => alerting.alerts(),
    later: (run) => queueMicrotask(() => guard('notify', run)),
    onOutcome: (sink, outcome, n) => registry.add('taskwarden.notifications', { sink, outcome }, n),
    now: wallClock,
    elapsed: monotonicMs,
  });
}

/** @param shown the URL as it may be told */
async function open(
  sink: SinkKind,
  endpoint: Endpoint,
  url: URL,
  shown: string,
  warn: (text: string) => void,
): Promise<Target> {
  const { send, keepAlive } = await httpClient(url.protocol);
  const agent = keepAlive();
  const host = new HostLookup(url.hostname, monotonicMs);
  host.resolve().catch(() => {});
  const post: Post = async (body) => {
    try {
      const options = { ...requestOptions(endpoint), agent, lookup: host.lookup };
      return await send(url, options, body, endpoint.timeout);
    } catch (error) {
      host.expire();
      throw error;
    }
  };
  const isToTell = createTelling();
  const onFailure = (error: Error): void => {
    if (isToTell(sink))
      warn(`alerts do not reach the ${sink} ${shown}: ${error.message}; jobs are not affected`);
  };
  return { sink, post, onFailure };
}
