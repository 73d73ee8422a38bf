import {
  REQUEST_OUTCOMES,
  type RequestOutcome,
  type ServerKey,
  type TaskKey,
  type TrafficRow,
} from '../bridge/protocol.ts';
import type { Labels } from '../model/labels.ts';
import type { MetricName } from '../model/metrics.ts';
import type { Registry } from '../store/registry.ts';
import { taskAttributes } from './ingest.ts';

/** Outcomes that have a series from the first request on, as it takes a first value of 0 to see the first failure. */
const FROM_START: ReadonlySet<RequestOutcome> = new Set(['success', 'server_error', 'timeout', 'error']);

/** What tasks exchange with servers → series. */
export class Dependencies {
  readonly #registry: Registry;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** @param task undefined for connections that are no single run's */
  add(task: TaskKey | undefined, server: ServerKey, row: TrafficRow): void {
    const [, , bytesIn, bytesOut, timeMs, ...requests] = row;
    const address = serverAttributes(server);
    if (task === undefined) {
      this.#io('task.network.shared.io', address, bytesIn, bytesOut);
      return;
    }
    const attributes = { ...taskAttributes(task), ...address };
    this.#io('task.dependency.io', attributes, bytesIn, bytesOut);
    if (requests.every((count) => count === 0)) return;
    this.#registry.add('task.dependency.time', attributes, timeMs / 1000);
    for (const [index, outcome] of REQUEST_OUTCOMES.entries()) {
      const count = requests[index] ?? 0;
      if (count === 0 && !FROM_START.has(outcome)) continue;
      this.#registry.add(
        'task.dependency.requests',
        { ...attributes, 'task.dependency.outcome': outcome },
        count,
      );
    }
  }

  #io(name: MetricName, attributes: Labels, bytesIn: number, bytesOut: number): void {
    this.#registry.add(name, { ...attributes, 'network.io.direction': 'receive' }, bytesIn);
    this.#registry.add(name, { ...attributes, 'network.io.direction': 'transmit' }, bytesOut);
  }
}

function serverAttributes({ address, port }: ServerKey): Labels {
  return port === undefined
    ? { 'server.address': address }
    : { 'server.address': address, 'server.port': String(port) };
}
