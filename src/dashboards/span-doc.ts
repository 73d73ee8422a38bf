import { startAttributes, usageAttributes } from '../model/run-attributes.ts';
import { attributeTable } from './attribute-table.ts';

const TEXTS: Readonly<Record<string, string>> = {
  'messaging.system': 'The queue library: bullmq.',
  'messaging.operation.name': 'process',
  'messaging.operation.type': 'process',
  'messaging.destination.name': 'Name of the queue.',
  'messaging.message.id': 'Id of the job.',
  'task.name': 'Name of the task: what the queue library calls the name of a job.',
  'task.attempt': 'Which attempt this is; 1 is the first.',
  'task.cpu.time': 'CPU time of the main thread in this run, in seconds.',
  'task.event_loop.block.duration': 'Longest time that the run kept the event loop to itself, in seconds.',
  'task.network.requests': 'HTTP requests that the run started.',
  'task.network.failures':
    'Those of them that ended in a status of 500 or above, a timeout or an error of the connection; absent for none.',
  'task.network.io.receive':
    "Bytes received on connections that were the run's own at the time: see `task.network.io`.",
  'task.network.io.transmit': 'Bytes sent on them.',
  'task.wait.duration': 'Time from ready to picked up, in seconds; absent where unknown.',
  'messaging.message.body.size':
    'Size of the payload as `task.payload.size` measures it; absent where unknown.',
  'task.cpu.quality':
    'What `task.cpu.time` is worth: the same values as the attribute of the metric, but sampled: a single run has its synchronous part then.',
  'task.handles.open':
    'Handles that the run had opened and not closed when it ended; absent for none. A longer life is not in the span: see `task.handles.open` among the metrics.',
  'task.duplicate.type': 'concurrent or repeated where the job ran twice: see `task.duplicates`.',
  'task.memory.peak':
    'Highest heap of the process, in bytes, of the readings made every second while the run was in flight; absent where none was made. Only where Taskwarden exports the span.',
  'task.suspicion':
    'Whose `task.memory.peak` is: exclusive where the run was alone in flight at that reading, else shared.',
  'error.type': 'Class or code of the error; present when the run failed.',
};

/** The chapter on spans of docs/metrics.md. */
export function spanChapter(): string {
  const run = { framework: '', queue: '', task: '', jobId: '', attempt: 1 };
  const usage = {
    waitMs: 0,
    cpuMs: 0,
    blockMs: 0,
    requests: 0,
    bytesIn: 0,
    bytesOut: 0,
    payloadBytes: 0,
    openHandles: 1,
    failedRequests: 1,
    duplicate: '',
    heapPeak: { bytes: 0, suspicion: '' },
  };
  const set = [...Object.keys(startAttributes(run)), ...Object.keys(usageAttributes(usage))];
  return `## Spans

Each handler run is one span \`process <queue>\` of kind CONSUMER. It links to the span of the producer when the job carries
one. A failed run has the status ERROR and an event \`exception\`. What a handler throws to move its job (BullMQ's \`DelayedError\`,
\`WaitingError\`, \`WaitingChildrenError\` and \`RateLimitError\`) is no failure. Where BullMQ's own option \`telemetry\` makes the consumer
span, that span gets these attributes and there is no second one.

${attributeTable(set, TEXTS)}
`;
}
