import type { AlertTransition, Notify } from '../model/alert.ts';

/** A receiver of alerts. What it throws is counted and does not reach the others. */
export interface AlertSink {
  readonly name: string;
  readonly notify: Notify;
}

/** Hands every transition to every sink, in order. `onError` learns of a sink that threw; it must not throw. */
export function createNotifier(
  sinks: readonly AlertSink[],
  onError: (error: unknown, sink: string) => void,
): Notify {
  return (transition) => {
    for (const { name, notify } of sinks) {
      try {
        notify(transition);
      } catch (error) {
        onError(error, name);
      }
    }
  };
}

/** True for what people want to hear of: an alert that fires, and the end of one that fired. */
export function isNews({ state, previousState }: AlertTransition): boolean {
  return state === 'firing' || (state === 'resolved' && previousState === 'firing');
}
