import assert from 'node:assert/strict';
import { test } from 'node:test';
import { replaceMethod } from '../../src/instrument/patch.ts';

class Base {
  greet(name: string, _punctuation?: string): string {
    return `hello ${name}`;
  }
}

const twice = (original: (this: unknown, ...args: unknown[]) => unknown) =>
  function (this: unknown, ...args: unknown[]): unknown {
    return `${original.apply(this, args)} ${original.apply(this, args)}`;
  };

test('the replacement has the name, arity and property attributes of the original', () => {
  class Greeter extends Base {
    override greet(name: string, punctuation: string): string {
      return `${super.greet(name)}${punctuation}`;
    }
  }
  const before = Object.getOwnPropertyDescriptor(Greeter.prototype, 'greet')!;
  const undo = replaceMethod(Greeter.prototype, 'greet', twice);
  const after = Object.getOwnPropertyDescriptor(Greeter.prototype, 'greet')!;
  assert.equal(new Greeter().greet('Ann', '!'), 'hello Ann! hello Ann!');
  assert.deepEqual(
    [after.value.name, after.value.length, after.enumerable, after.configurable, after.writable],
    [before.value.name, before.value.length, before.enumerable, before.configurable, before.writable],
  );
  undo();
  assert.deepEqual(Object.getOwnPropertyDescriptor(Greeter.prototype, 'greet'), before);
});

test('an inherited method is replaced where it was asked for, and goes as it came', () => {
  class Greeter extends Base {}
  const undo = replaceMethod(Greeter.prototype, 'greet', twice);
  assert.equal(new Greeter().greet('Bo'), 'hello Bo hello Bo');
  assert.equal(new Base().greet('Bo'), 'hello Bo');
  undo();
  assert.equal(Object.hasOwn(Greeter.prototype, 'greet'), false);
  assert.equal(new Greeter().greet('Bo'), 'hello Bo');
});

test('a method is not replaced twice, not even by another copy of the module', async () => {
  class Greeter extends Base {}
  const undo = replaceMethod(Greeter.prototype, 'greet', twice);
  const another = (await import(`../../src/instrument/patch.ts?copy=${Date.now()}`)) as {
    replaceMethod: typeof replaceMethod;
  };
  assert.notEqual(another.replaceMethod, replaceMethod);
  for (const replace of [replaceMethod, another.replaceMethod]) {
    assert.throws(() => replace(Greeter.prototype, 'greet', twice), {
      code: 'TASKWARDEN_PATCH',
      message: /greet is instrumented by another copy of taskwarden/,
    });
  }
  assert.equal(new Greeter().greet('Cy'), 'hello Cy hello Cy');
  undo();
  replaceMethod(Greeter.prototype, 'greet', twice)();
});

test('what is not there cannot be replaced', () => {
  for (const name of ['missing', 'field']) {
    assert.throws(() => replaceMethod({ field: 1 }, name, twice), {
      code: 'TASKWARDEN_PATCH',
      message: new RegExp(`no method ${name}`),
    });
  }
});

test('a replacement that someone else replaced stays: taking ours back must not undo theirs', () => {
  class Greeter extends Base {}
  const undo = replaceMethod(Greeter.prototype, 'greet', twice);
  const theirs = (): string => 'theirs';
  Greeter.prototype.greet = theirs;
  undo();
  assert.equal(Greeter.prototype.greet, theirs);
});
