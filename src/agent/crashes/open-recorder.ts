import type { Inbox } from '../../bridge/inbox.ts';
import type { Config } from '../../config/config.ts';
import { stateFolder } from '../../config/state-dir.ts';
import { wallClock } from '../../model/clock.ts';
import { residentBytes } from '../../model/resident.ts';
import type { ResourceAttributes } from '../../otlp/resource.ts';
import { memoryGroup, thisProcess } from './identity.ts';
import { Recorder } from './recorder.ts';

/**
 * The flight recorder of this process; undefined where the configuration wants none.
 *
 * @param inboxes the threads whose runs are recorded, the main thread first
 * @param drain reads what they have written
 */
export function openRecorder(
  config: Config,
  resource: ResourceAttributes,
  inboxes: () => readonly Inbox[],
  drain: () => void,
): Recorder | undefined {
  const folder = stateFolder(config);
  if (folder === undefined || config.recorder === 'off') return undefined;
  const group = memoryGroup();
  const identity = thisProcess({
    service: String(resource['service.name']),
    supervisor: config.env.TASKWARDEN_SUPERVISOR ?? '',
    group: group.path,
  });
  const resources = () => {
    const { user, system } = process.cpuUsage();
    return { rss: residentBytes(), cpuMs: (user + system) / 1000, oomKills: group.oomKills() };
  };
  const events = config.recorder === 'event';
  return new Recorder({ folder, events, identity, inboxes, drain, resources, wallClock });
}
