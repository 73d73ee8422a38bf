import type { Inbox } from '../../bridge/inbox.ts';
import type { Config } from '../../config/config.ts';
import { evidenceFolder } from '../../config/state-dir.ts';
import { monotonicMs, wallClock } from '../../model/clock.ts';
import type { Registry } from '../../store/registry.ts';
import type { Blocks } from '../blocks/blocks.ts';
import { Captures } from './captures.ts';
import { EvidenceFolder } from './folder.ts';

/** The captures of the main thread, as the configuration wants them. */
export function openCaptures(
  config: Config,
  inbox: Inbox,
  blocks: Pick<Blocks, 'maps' | 'hold'>,
  registry: Registry,
  warn: (text: string) => void,
): Captures {
  const folder = evidenceFolder(config);
  const { profile: profileMs, ...limits } = config.evidence;
  return new Captures({
    inbox,
    maps: blocks.maps,
    folder: folder && new EvidenceFolder({ folder, limits, now: wallClock }),
    profileMs,
    inspector: config.inspector,
    warn,
    hold: blocks.hold,
    onFault: () => registry.add('taskwarden.errors', { part: 'evidence' }, 1),
    elapsed: monotonicMs,
  });
}
