/** What a finished run used: times in ms, sizes in bytes, NaN where unknown. */
export interface RunUsage {
  waitMs: number;
  cpuMs: number;
  /** What these two are worth; nothing at all with `off`. */
  cpuQuality?: string;
  blockMs: number;
  /** Below 0 when requests are not counted: then bytes are unknown, too. */
  requests: number;
  bytesIn: number;
  bytesOut: number;
  payloadBytes: number;
  openHandles?: number;
  failedRequests?: number;
  duplicate?: string | undefined;
  heapPeak?: { readonly bytes: number; readonly suspicion: string } | undefined;
}

export interface RunIdentity {
  framework: string;
  queue: string;
  task: string;
  jobId: string;
  attempt: number;
}

/** Attributes that a run's span has from the start, by the messaging conventions. */
export function startAttributes(run: RunIdentity): Record<string, string | number> {
  return {
    'messaging.system': run.framework,
    'messaging.operation.name': 'process',
    'messaging.operation.type': 'process',
    'messaging.destination.name': run.queue,
    'messaging.message.id': run.jobId,
    'task.name': run.task,
    'task.attempt': run.attempt,
  };
}

/** Attributes that it gets at its end; unknown figures are left out. Times in seconds, sizes in bytes. */
export function usageAttributes(usage: RunUsage): Record<string, number | string> {
  const attributes: Record<string, number | string> = {};
  if (usage.requests >= 0) {
    attributes['task.network.requests'] = usage.requests;
    attributes['task.network.io.receive'] = usage.bytesIn;
    attributes['task.network.io.transmit'] = usage.bytesOut;
    if (usage.failedRequests) attributes['task.network.failures'] = usage.failedRequests;
  }
  if (usage.cpuQuality !== 'off') {
    attributes['task.cpu.time'] = usage.cpuMs / 1000;
    attributes['task.event_loop.block.duration'] = usage.blockMs / 1000;
  }
  if (usage.cpuQuality !== undefined) attributes['task.cpu.quality'] = usage.cpuQuality;
  if (!Number.isNaN(usage.waitMs)) attributes['task.wait.duration'] = usage.waitMs / 1000;
  if (!Number.isNaN(usage.payloadBytes)) attributes['messaging.message.body.size'] = usage.payloadBytes;
  if (usage.openHandles) attributes['task.handles.open'] = usage.openHandles;
  if (usage.heapPeak !== undefined) {
    attributes['task.memory.peak'] = usage.heapPeak.bytes;
    attributes['task.suspicion'] = usage.heapPeak.suspicion;
  }
  if (usage.duplicate !== undefined) attributes['task.duplicate.type'] = usage.duplicate;
  return attributes;
}
