import type { Inbox } from '../../bridge/inbox.ts';
import { F64 } from '../../bridge/protocol.ts';
import type { AlertTransition } from '../../model/alert.ts';
import type { Registry } from '../../store/registry.ts';
import { ownCpuMs } from '../own-metrics.ts';
import { type Block, Watchdog } from '../watchdog.ts';
import { Findings } from './findings.ts';
import { Inspection } from './inspection.ts';
import { MainThread } from './main-thread.ts';
import { SourceMaps } from './source-maps.ts';
import { ThreadState } from './thread-state.ts';

export interface BlocksOptions {
  readonly registry: Registry;
  readonly intervalMs: number;
  /** See {@link WatchdogOptions}. */
  readonly marks: () => readonly number[];
  /** Whether the main thread may be inspected. */
  readonly inspector: boolean;
  readonly warn: (text: string) => void;
  readonly onBlocked: (block: Block) => void;
  readonly onFree: (block: Block) => void;
}

/** The blocked loops of the process: who watches them, looks into them, and tells the alerts what was found. */
export class Blocks {
  readonly maps: SourceMaps = new SourceMaps();
  readonly #options: BlocksOptions;
  readonly main: MainThread;
  readonly #thread = new ThreadState();
  readonly #findings = new Findings();
  #held = 0;

  constructor(options: BlocksOptions) {
    this.#options = options;
    this.main = new MainThread({ allowed: options.inspector, warn: options.warn });
  }

  /** The inspector reaches the main thread alone. */
  watchdog(inbox: Inbox, isMain: boolean): Watchdog {
    const { registry, intervalMs, marks, onBlocked, onFree } = this.#options;
    const [main, maps, thread] = [this.main, this.maps, this.#thread];
    return new Watchdog(inbox, {
      registry,
      marks,
      intervalMs,
      inspect: () =>
        isMain
          ? new Inspection({ main, maps, thread, heapLimit: inbox.shared.f64[F64.heapLimit]! })
          : undefined,
      cpuMs: () => (isMain ? thread.cpuMs() : undefined),
      ownCpuMs,
      isHeld: () => isMain && this.#held > 0,
      onBlocked: (block) => {
        this.#findings.began(block);
        onBlocked(block);
      },
      onFree: (block) => {
        this.#findings.ended(block);
        onFree(block);
      },
    });
  }

  /** The agent itself keeps the main thread until the returned function is called: no block begins meanwhile. */
  readonly hold = (): (() => void) => {
    this.#held++;
    return () => void this.#held--;
  };

  /** An alert that begins to fire, with the block that it is about. */
  look(transition: AlertTransition): AlertTransition {
    return this.#findings.look(transition);
  }

  /** The change of an alert with what is known of its block. @param evidence files that are being written about it */
  attach(transition: AlertTransition, evidence: readonly string[]): AlertTransition {
    return this.#findings.attach(transition, evidence);
  }

  /** Node.js says "Waiting for the debugger to disconnect" where a process ends with an open session. */
  close(restMs: number): void {
    this.main.close(restMs);
  }
}
