import type { NotLed } from '../../queues/writes.ts';

/** Why an agent that does not lead leaves it. */
export const NOT_LED: Readonly<Record<NotLed, string>> = {
  standby: 'another agent watches the queues of this Redis, and it is up to that one',
  no_lease: 'Redis takes no lease, so that others could do the same',
};

export function isNotLed(value: unknown): value is NotLed {
  return typeof value === 'string' && value in NOT_LED;
}
