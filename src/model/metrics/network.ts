import type { MetricDefinition } from './definition.ts';

/** `server.port` is left out where hosts are folded into "other", and for paths of Unix domain sockets. */
const SERVER = ['server.address', 'server.port'] as const;
const OPTIONAL = ['server.port'] as const;
const DEPENDENCY = ['messaging.system', 'messaging.destination.name', 'task.name', ...SERVER] as const;
const BREAKER = ['circuit_breaker.name', 'circuit_breaker.group'] as const;

/** What tasks depend on: servers by the requests of each task, connections that tasks share, circuit breakers. */
export const NETWORK_METRICS = {
  'task.dependency.requests': {
    kind: 'counter',
    unit: '{request}',
    source: 'taskwarden',
    attributes: [...DEPENDENCY, 'task.dependency.outcome'],
    optional: OPTIONAL,
    description:
      'Finished requests of handler runs by server. task.dependency.outcome: success (a response below 400), client_error (4xx), ' +
      'server_error (5xx), timeout (nothing in time), error (no connection, or it broke) or aborted (broken off by the caller). ' +
      'All but client_error and aborted start at 0 with the first request of the task to the server.',
    quality:
      'Exact, a second late; 50 servers by default, further ones count as "other". Every response to a redirect is a request of its own. ' +
      'What is still open when the process dies is not there.',
  },
  'task.dependency.time': {
    kind: 'counter',
    unit: 's',
    source: 'taskwarden',
    attributes: DEPENDENCY,
    optional: OPTIONAL,
    description:
      'Time that those requests took, from their begin to the end of the response, added up. By task.dependency.requests it is the mean.',
    quality: 'Exact; waiting for a free connection and for a busy event loop is part of it.',
  },
  'task.dependency.io': {
    kind: 'counter',
    unit: 'By',
    source: 'taskwarden',
    attributes: [...DEPENDENCY, 'network.io.direction'],
    optional: OPTIONAL,
    description:
      'Bytes between the runs of a task and a server; network.io.direction is transmit or receive. What task.network.io has, by server.',
    quality:
      'As task.network.io: exact on connections that one run uses at a time, up to the end of the run. All else is in task.network.shared.io.',
  },
  'task.network.shared.io': {
    kind: 'counter',
    unit: 'By',
    source: 'taskwarden',
    attributes: [...SERVER, 'network.io.direction'],
    optional: OPTIONAL,
    description:
      "Bytes on connections that are no single run's: opened outside of runs, used by several, or kept after their run, as clients of Redis " +
      'and pools of databases do; and what requests carry after the end of their run. network.io.direction is transmit or receive.',
    quality:
      'Exact for the process and server, a second late; which task they are for is not known, and not guessed.',
  },
  'task.circuit_breaker.state': {
    kind: 'updowncounter',
    unit: '{circuit_breaker}',
    source: 'taskwarden',
    attributes: [...BREAKER, 'circuit_breaker.state'],
    description:
      'Circuit breakers (opossum) of a name and group that are in a state: closed, open or half_open. Normally 1 for one state and 0 for the others.',
    quality:
      'Exact, a second late; a state that is shorter than that shows only in task.circuit_breaker.openings. 50 names by default, further ones count as "other".',
  },
  'task.circuit_breaker.openings': {
    kind: 'counter',
    unit: '{opening}',
    source: 'taskwarden',
    attributes: BREAKER,
    description: 'How often a circuit breaker has opened.',
    quality: 'Exact.',
  },
  'task.circuit_breaker.calls': {
    kind: 'counter',
    unit: '{call}',
    source: 'taskwarden',
    attributes: [...BREAKER, 'circuit_breaker.outcome'],
    description:
      'Calls through a circuit breaker by circuit_breaker.outcome: success, failure, timeout, rejected (it was open) or overloaded (no ' +
      'capacity was left). All start at 0 when the breaker is made.',
    quality:
      "Exact; what the breaker's errorFilter lets pass is a success, as the breaker itself has it. Answers from its cache are no calls.",
  },
  'task.circuit_breaker.fallbacks': {
    kind: 'counter',
    unit: '{call}',
    source: 'taskwarden',
    attributes: BREAKER,
    description: 'Calls that were answered by the fallback of a circuit breaker.',
    quality: 'Exact.',
  },
} as const satisfies Record<string, MetricDefinition>;
