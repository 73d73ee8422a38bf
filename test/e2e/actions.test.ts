import { after, afterEach, before } from 'node:test';
import { testActions } from '../fixtures/actions/every-version.ts';
import { openPlace, type Place } from '../fixtures/actions/workers.ts';
import { endPrograms } from '../fixtures/faults/program.ts';

let place: Place;
before(async () => {
  place = await openPlace();
});
// A worker in an endless loop is not to keep the machine from the next test.
afterEach(endPrograms);
after(() => place.end());

testActions('bullmq', () => place);
