import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, describe, test } from 'node:test';
import { patchSandbox, patchWorker } from '../../src/instrument/bullmq.ts';
import { mainSide } from '../helpers/main-side.ts';

type Handler = (this: unknown, ...args: unknown[]) => unknown;

/** What of BullMQ's worker is needed without a server. */
interface WorkerLike {
  callProcessJob(...args: unknown[]): Promise<unknown>;
  createJob(...args: unknown[]): unknown;
  handleFailed(...args: unknown[]): Promise<unknown>;
}

const require = createRequire(import.meta.url);

for (const library of ['bullmq5', 'bullmq']) {
  describe(library, () => {
    const { Worker, ChildProcessor } = require(library);
    const before = {
      call: Worker.prototype.callProcessJob,
      create: Worker.prototype.createJob,
      failed: Worker.prototype.handleFailed,
      start: ChildProcessor.prototype.start,
    };
    const { tasks, sdk, drain, faults } = mainSide();
    const undo = [patchWorker(Worker, { tasks, sdk }), patchSandbox(ChildProcessor, { tasks, sdk })];
    after(() => {
      for (const restore of undo) restore();
      assert.deepEqual(
        {
          call: Worker.prototype.callProcessJob,
          create: Worker.prototype.createJob,
          failed: Worker.prototype.handleFailed,
          start: ChildProcessor.prototype.start,
        },
        before,
        'everything is as it was',
      );
    });

    const workerWith = (processFn: Handler, over: object = {}): WorkerLike =>
      Object.assign(Object.create(Worker.prototype), {
        name: 'mail',
        qualifiedName: 'bull:mail',
        opts: {},
        processFn,
        ...over,
      });
    const job = (over: object = {}): Record<string, unknown> => ({
      id: '7',
      name: 'send',
      timestamp: 1000,
      processedOn: 1200,
      attemptsStarted: 1,
      opts: {},
      ...over,
    });
    /** The runs since the last look; a run ends a moment after its promise. */
    const runs = async (): Promise<ReturnType<typeof drain>> => {
      await new Promise(setImmediate);
      return drain().splice(0);
    };

    test('a handler gets its arguments and `this`, and BullMQ what it returned', async () => {
      const given: unknown[][] = [];
      const answer = { deep: ['value'] };
      const promise = Promise.resolve(answer);
      const worker = workerWith(function (this: unknown, ...args) {
        given.push([this, ...args]);
        return promise;
      });
      const { signal } = new AbortController();
      const theJob = job();
      assert.equal(worker.callProcessJob(theJob, 'token', signal, 'further'), promise, 'the very promise');
      assert.equal(await promise, answer);
      assert.equal(given[0]![0], worker);
      assert.equal(given[0]![1], theJob);
      assert.equal(given[0]![2], 'token');
      assert.equal(given[0]![3], signal);
      await promise;
      const [run] = await runs();
      assert.deepEqual(
        [
          run!.task.framework,
          run!.task.queue,
          run!.task.task,
          run!.jobId,
          run!.attempt,
          run!.waitMs,
          run!.failed,
        ],
        ['bullmq', 'mail', 'send', '7', 1, 200, false],
      );
    });

    test('a retry is a run of a job that has failed, whoever ran it, and not of one that was moved', async () => {
      const worker = workerWith(() => Promise.resolve());
      await worker.callProcessJob(job({ attemptsStarted: 1, attemptsMade: 0 }), 'token');
      await worker.callProcessJob(job({ attemptsStarted: 2, attemptsMade: 1 }), 'token');
      await worker.callProcessJob(job({ attemptsStarted: 3, attemptsMade: 0 }), 'token');
      assert.deepEqual(
        (await runs()).map(({ attempt, isRetry, waitMs }) => [attempt, isRetry, waitMs]),
        [
          [1, false, 200],
          [2, true, undefined],
          [3, false, undefined],
        ],
      );
    });

    test('an error is the very one that the handler threw', async () => {
      for (const error of [new RangeError('no'), 'a text', undefined]) {
        await assert.rejects(
          workerWith(() => Promise.reject(error)).callProcessJob(job()),
          (thrown) => thrown === error,
        );
      }
      const error = new Error('at once');
      const throwing = workerWith(() => {
        throw error;
      });
      assert.throws(
        () => throwing.callProcessJob(job()),
        (thrown) => thrown === error,
      );
      assert.deepEqual(
        (await runs()).map(({ failed, extra }) => [failed, extra?.error?.type]),
        [
          [true, 'RangeError'],
          [true, '_OTHER'],
          [true, '_OTHER'],
          [true, 'Error'],
        ],
      );
    });

    test('an error that moves the job reaches BullMQ and is no failure', async () => {
      const { DelayedError } = require(library);
      const error = new DelayedError();
      await assert.rejects(
        workerWith(() => Promise.reject(error)).callProcessJob(job()),
        (thrown) => thrown === error,
      );
      assert.deepEqual(
        (await runs()).map(({ failed, extra }) => [failed, extra]),
        [[false, undefined]],
      );
    });

    test('a rejection that BullMQ handles later is not one that nobody handles', async (t) => {
      const unhandled = t.mock.fn();
      process.on('unhandledRejection', unhandled);
      const { DelayedError } = require(library);
      for (const error of [new Error('x'), new DelayedError()]) {
        await workerWith(() => Promise.reject(error))
          .callProcessJob(job({ parentKey: 'bull:parents:1' }))
          .catch(() => {});
      }
      await runs();
      process.off('unhandledRejection', unhandled);
      assert.equal(unhandled.mock.callCount(), 0);
      await runs();
    });

    test('a handler that gives no promise gives what it gave', async () => {
      const worker = workerWith(() => 5);
      assert.equal(worker.callProcessJob(job()), 5);
      assert.equal((await runs()).length, 1);
    });

    test("a sandboxed processor's run is not metered in the parent", async () => {
      const worker = workerWith(async () => 'from the child', { childPool: {} });
      assert.equal(await worker.callProcessJob(job()), 'from the child');
      assert.equal((await runs()).length, 0);
    });

    test('a subclass with a hook of its own goes through ours by super', async () => {
      class Pro extends Worker {
        callProcessJob(theJob: unknown, token: string): unknown {
          return super.callProcessJob(theJob, `${token}!`);
        }
      }
      const worker = Object.assign(Object.create(Pro.prototype), {
        name: 'mail',
        opts: {},
        processFn: (_job: unknown, token: string) => Promise.resolve(token),
      });
      assert.equal(await worker.callProcessJob(job(), 'token'), 'token!');
      assert.equal((await runs()).length, 1);
    });

    test('a job without anything that we look for runs all the same', async () => {
      for (const odd of [undefined, null, {}, { id: Symbol('id') }]) {
        assert.equal(await workerWith(async () => 'ran').callProcessJob(odd), 'ran');
      }
      assert.ok((await runs()).length <= 2);
      assert.ok(faults.length >= 2, 'faults of ours are reported');
      faults.length = 0;
    });

    test("a sandboxed processor's run is metered in the child", async () => {
      const sent: unknown[] = [];
      const child = Object.assign(Object.create(ChildProcessor.prototype), {
        status: 0,
        send: async (message: unknown) => void sent.push(message),
      });
      const given: unknown[][] = [];
      const processor = (...args: unknown[]): Promise<string> => {
        given.push(args);
        return Promise.resolve('done');
      };
      child.processor = processor;
      const json = {
        ...job({ attemptsStarted: undefined, attemptsMade: 1 }),
        data: '{"n":1}',
        queueQualifiedName: 'my:prefix:mail',
        opts: { tm: '{"traceparent":"00-00000000000000000000000000000001-0000000000000001-01"}' },
      };
      await child.start(json, 'token');
      const { currentJobPromise } = child;
      assert.equal(child.processor, processor, 'the processor is as it was');
      await currentJobPromise;
      assert.equal(given[0]![1], 'token');
      assert.ok(given[0]![2] instanceof AbortSignal);
      assert.deepEqual((given[0]![0] as { data: unknown }).data, { n: 1 });
      assert.ok(JSON.stringify(sent).includes('done'));
      const [run] = await runs();
      assert.deepEqual(
        [
          run!.task.queue,
          run!.attempt,
          run!.isRetry,
          run!.waitMs,
          run!.payloadBytes,
          run!.extra?.links?.[0]?.spanId,
        ],
        ['mail', 2, true, undefined, 7, '0000000000000001'],
      );
    });

    test('a child that is busy answers as it does without us', async () => {
      const sent: { cmd?: unknown }[] = [];
      const child = Object.assign(Object.create(ChildProcessor.prototype), {
        status: 1,
        processor: () => assert.fail('not called'),
        send: async (message: object) => void sent.push(message),
      });
      await child.start(job(), 'token');
      assert.equal(sent.length, 1);
      assert.equal((await runs()).length, 0);
      delete child.processor;
      await child.start(job(), 'token');
      assert.equal(sent.length, 2);
    });
  });
}
