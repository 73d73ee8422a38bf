import { hostname } from 'node:os';
import { ApiServer } from '../api/server.ts';
import { splitAddress } from '../config/address.ts';
import type { Config } from '../config/config.ts';
import { LOG_LEVELS, type LogLevel } from '../config/options.ts';
import type { Clock } from '../model/clock.ts';
import { warnOnStderr } from '../model/stderr.ts';
import type { ResourceAttributes } from '../otlp/resource.ts';
import type { Registry } from '../store/registry.ts';
import type { Alerting } from './alerting.ts';
import type { Guard } from './guard.ts';

export interface HttpOptions {
  readonly config: Config;
  readonly registry: Registry;
  readonly resource: ResourceAttributes;
  readonly alerting: Alerting;
  readonly now: Clock;
  readonly guard: Guard;
}

/** Status codes whose counters begin at 0, so that the first of each is an increase. */
const USUAL = ['200', '400', '401', '403', '404', '422', '500', '503'];

/** The Prometheus HTTP API over the agent's store and rules, where the configuration says. */
export function openHttp({ config, registry, resource, alerting, now, guard }: HttpOptions): ApiServer {
  const { host, port } = splitAddress(config.http);
  const say = (level: LogLevel, text: string): void => {
    if (LOG_LEVELS.indexOf(config.log.level) >= LOG_LEVELS.indexOf(level)) warnOnStderr(text);
  };
  let isTold = false;
  registry.set('taskwarden.http.port', {}, 0);
  for (const name of ['taskwarden.http.listen.failures', 'taskwarden.http.connections.dropped'] as const)
    registry.add(name, {}, 0);
  for (const status of USUAL)
    registry.add('taskwarden.http.requests', { 'http.response.status_code': status }, 0);
  const server = new ApiServer({
    host,
    port,
    hosts: [host, hostname(), ...config.httpHosts].map((name) => name.toLowerCase()),
    token: config.httpToken,
    queryable: alerting.queryable,
    now,
    rules: () => alerting.describe(),
    metrics: () => registry.metrics(),
    resource,
    onListening(address) {
      registry.set('taskwarden.http.port', {}, address.port);
      const name = address.host.includes(':') ? `[${address.host}]` : address.host;
      say('info', `the HTTP API listens at http://${name}:${address.port}`);
    },
    onBusy(error) {
      registry.add('taskwarden.http.listen.failures', {}, 1);
      // Once: where workers of a cluster share a port, all but one are told so again and again.
      if (!isTold)
        say(
          'warn',
          `the HTTP API is not there: ${error.message}; jobs are not affected, and it is tried again`,
        );
      isTold = true;
    },
    onRequest(status) {
      registry.add('taskwarden.http.requests', { 'http.response.status_code': String(status) }, 1);
    },
    onDropped() {
      registry.add('taskwarden.http.connections.dropped', {}, 1);
    },
    onFault(error) {
      guard('http', () => {
        throw error;
      });
    },
  });
  server.listen();
  return server;
}
