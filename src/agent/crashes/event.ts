import type { LogData } from '../../model/log.ts';
import type { Crash, LostRun } from './crash.ts';

const CRASH_EVENT = 'taskwarden.crash';

/** Runs that one record names; `taskwarden.crash.runs.count` is how many there were. */
const MAX_RUNS = 100;
/** Runs that a sentence names. */
const MAX_TOLD = 5;

/** The log record of a death, one each. Times are ISO 8601 texts, durations seconds, sizes bytes. */
export function crashRecord(crash: Crash, now: number): LogData {
  const { resources, runs, more } = crash;
  const named = runs.slice(0, MAX_RUNS);
  const column = (of: (run: LostRun) => string): string[] => named.map(of);
  const traced = runs.find(({ traceId, spanId }) => traceId !== '' && spanId !== '');
  return {
    timeMs: crash.at,
    observedTimeMs: now,
    eventName: CRASH_EVENT,
    severityNumber: 17,
    severityText: 'ERROR',
    body: sentence(crash),
    attributes: {
      'taskwarden.crash.id': crash.id,
      'taskwarden.crash.cause': crash.cause,
      'taskwarden.crash.at': new Date(crash.at).toISOString(),
      'taskwarden.crash.uptime': (crash.at - crash.startedAt) / 1000,
      'taskwarden.crash.service.name': crash.service,
      'taskwarden.crash.host.name': crash.host,
      'taskwarden.crash.process.pid': crash.pid,
      'taskwarden.crash.memory.rss': resources.rss,
      'taskwarden.crash.heap.used': resources.heapUsed,
      'taskwarden.crash.heap.limit': resources.heapLimit,
      'taskwarden.crash.cpu.time': resources.cpuMs / 1000,
      'taskwarden.crash.runs.count': runs.length + more,
      'taskwarden.crash.runs.messaging.system': column(({ task }) => task.framework),
      'taskwarden.crash.runs.messaging.destination.name': column(({ task }) => task.queue),
      'taskwarden.crash.runs.messaging.message.id': column(({ jobId }) => jobId),
      'taskwarden.crash.runs.task.name': column(({ task }) => task.task),
      'taskwarden.crash.runs.task.attempt': column(({ attempt }) => String(attempt)),
      'taskwarden.crash.runs.task.suspicion': column(({ suspicion }) => suspicion),
      'taskwarden.crash.runs.trace_id': column(({ traceId }) => traceId),
      'taskwarden.crash.runs.span_id': column(({ spanId }) => spanId),
      'taskwarden.crash.runs.age': column(({ ageMs }) => seconds(ageMs)),
      'taskwarden.crash.runs.cpu.time': column(({ cpuMs }) => seconds(cpuMs)),
      'taskwarden.crash.runs.network.requests': column(({ requests }) => String(requests)),
      'taskwarden.crash.runs.network.io': column(({ bytesIn, bytesOut }) => String(bytesIn + bytesOut)),
    },
    traceId: traced?.traceId,
    spanId: traced?.spanId,
  };
}

/** "Worker 4711 of mailer was killed by SIGKILL after 12.3 s with 2 tasks in flight: …". */
export function sentence(crash: Crash): string {
  const { pid, service, how, at, startedAt, runs, more } = crash;
  const count = runs.length + more;
  const told = runs.slice(0, MAX_TOLD).map(runText);
  const rest = count - told.length;
  return `Worker ${pid} of ${service} ${how} after ${seconds(at - startedAt, 1)} s with ${count} ${count === 1 ? 'task' : 'tasks'} in flight${told.length > 0 ? ': ' : ''}${told.join('; ')}${rest > 0 ? `; ${rest} more` : ''}`;
}

function runText({ task, jobId, attempt, ageMs }: LostRun): string {
  const job = jobId === '' ? '' : `job ${jobId}, `;
  return `${task.task} (queue ${task.queue}, ${job}attempt ${attempt}, ${seconds(ageMs, 1)} s)`;
}

function seconds(ms: number, digits = 3): string {
  return (ms / 1000).toFixed(digits);
}
