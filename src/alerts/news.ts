import type { AlertTransition } from '../model/alert.ts';

/** True for what people want to hear of: an alert that fires, and the end of one that fired. */
export function isNews({ state, previousState }: AlertTransition): boolean {
  return state === 'firing' || (state === 'resolved' && previousState === 'firing');
}
