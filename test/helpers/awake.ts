import { after, before } from 'node:test';

/** For files that wait for timers or watchers that keep no process alive: the runner of Node.js 22 gives up on them. */
export function stayAwake(): void {
  let timer: NodeJS.Timeout;
  before(() => {
    timer = setInterval(() => {}, 60_000);
  });
  after(() => clearInterval(timer));
}
