import { maxBy, rate, series, sumBy, TASK, TASK_LEGEND } from './queries.ts';
import type { RowSpec } from './spec.ts';

const SERVER = [...TASK, 'server_address'] as const;
const SERVER_LEGEND = `${TASK_LEGEND} → {{server_address}}`;
const FAILED = 'task_dependency_outcome=~"server_error|timeout|error"';
const requests = sumBy(SERVER, rate('task.dependency.requests'));
const noRequests = 'absent until a run has made a request';
const noBreaker = 'absent without circuit breakers';

/** Servers that tasks depend on. */
export const dependencies: RowSpec = {
  title: 'Dependencies',
  panels: [
    {
      title: 'Requests by server',
      description: 'Finished requests of runs per second, by the server they went to.',
      kind: 'timeseries',
      unit: 'reqps',
      targets: [{ expr: requests, legend: SERVER_LEGEND, mayBeEmpty: noRequests }],
    },
    {
      title: 'Requests that came to nothing',
      description:
        'Share of requests without a connection, without an answer in time, or with one of 500 and above.',
      kind: 'timeseries',
      unit: 'percentunit',
      max: 1,
      targets: [
        {
          expr: `${sumBy(SERVER, rate('task.dependency.requests', [FAILED]))} / ${requests}`,
          legend: SERVER_LEGEND,
          mayBeEmpty: noRequests,
        },
      ],
    },
    {
      title: 'Time of a request',
      description: 'Mean time from the begin of a request to the end of its response.',
      kind: 'timeseries',
      unit: 's',
      targets: [
        {
          expr: `${sumBy(SERVER, rate('task.dependency.time'))} / ${requests}`,
          legend: SERVER_LEGEND,
          mayBeEmpty: noRequests,
        },
      ],
    },
    {
      title: 'Circuit breakers open',
      description: 'Circuit breakers that refuse calls or try a single one, by name.',
      kind: 'timeseries',
      unit: 'short',
      targets: [
        {
          expr: sumBy(
            ['circuit_breaker_name'],
            series('task.circuit_breaker.state', ['circuit_breaker_state!="closed"']),
          ),
          legend: '{{circuit_breaker_name}}',
          mayBeEmpty: noBreaker,
        },
      ],
    },
    {
      title: 'Calls through circuit breakers',
      description: 'Calls per second by outcome; rejected ones found the breaker open.',
      kind: 'timeseries',
      unit: 'ops',
      width: 16,
      targets: [
        {
          expr: sumBy(
            ['circuit_breaker_name', 'circuit_breaker_outcome'],
            rate('task.circuit_breaker.calls'),
          ),
          legend: '{{circuit_breaker_name}} {{circuit_breaker_outcome}}',
          mayBeEmpty: noBreaker,
        },
      ],
    },
  ],
};

/** What runs leave behind, and what is odd about the jobs. */
export const leaks: RowSpec = {
  title: 'Leaks and odd jobs',
  panels: [
    {
      title: 'Handles left open',
      description:
        'Sockets, timers, servers and child processes that ended runs have opened and nobody uses.',
      kind: 'timeseries',
      unit: 'short',
      targets: [
        {
          expr: maxBy([...TASK, 'task_handle_type'], series('task.handles.open')),
          legend: `${TASK_LEGEND} {{task_handle_type}}`,
          mayBeEmpty: 'absent until a run has left a handle open',
        },
      ],
    },
    {
      title: 'Jobs that stay in memory',
      description:
        'Share of the job objects looked for that could still be reached after three full collections.',
      kind: 'timeseries',
      unit: 'percentunit',
      max: 1,
      targets: [
        {
          expr: `${sumBy(TASK, rate('task.jobs.retained'))} / ${sumBy(TASK, rate('task.jobs.checked'))}`,
          legend: TASK_LEGEND,
          mayBeEmpty: 'absent until a job has been looked for',
        },
      ],
    },
    {
      title: 'Descriptors left open per run',
      description: 'Estimate of the file descriptors that each run leaves open.',
      kind: 'timeseries',
      unit: 'short',
      signed: true,
      targets: [
        {
          expr: maxBy(TASK, series('task.file_descriptors.growth')),
          legend: TASK_LEGEND,
          mayBeEmpty: 'absent until it can be told',
        },
      ],
    },
    {
      title: 'CPU against payload',
      description: 'The exponent k of CPU ~ size^k: 1 is linear, 2 quadratic.',
      kind: 'timeseries',
      unit: 'short',
      signed: true,
      targets: [
        {
          expr: maxBy(TASK, series('task.payload.growth')),
          legend: TASK_LEGEND,
          mayBeEmpty: 'absent until payloads of enough sizes have been seen',
        },
      ],
    },
    {
      title: 'Duplicate runs and unusual payloads',
      description:
        'Per second: runs of a job that is in flight or has succeeded, and payloads far larger than usual.',
      kind: 'timeseries',
      unit: 'ops',
      targets: [
        {
          expr: sumBy([...TASK, 'task_duplicate_type'], rate('task.duplicates')),
          legend: `${TASK_LEGEND} {{task_duplicate_type}}`,
          mayBeEmpty: 'absent until a job has run twice',
        },
        {
          expr: sumBy(TASK, rate('task.payload.outliers')),
          legend: `${TASK_LEGEND} unusual payload`,
          mayBeEmpty: 'absent until payload sizes are known',
        },
      ],
    },
    {
      title: 'Growth of memory by task',
      description:
        'Share of what the worker has grown by within the last minute that came while the task was there.',
      kind: 'timeseries',
      unit: 'percentunit',
      max: 1,
      targets: [
        {
          expr: maxBy([...TASK, 'task_suspicion'], series('task.memory.suspicion')),
          legend: `${TASK_LEGEND} {{task_suspicion}}`,
          mayBeEmpty: 'absent while memory does not grow',
        },
      ],
    },
  ],
};
