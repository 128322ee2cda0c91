import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LlamaContext, NativeContext } from './llama-types.js';
import { orderLogits } from './ordered-logits.js';

/** A native context whose samples end when the test says so; its own methods cannot be written to. */
class Native implements NativeContext {
  readonly sampling: string[] = [];
  private readonly ends = new Map<string, (result: Promise<string>) => void>();

  get decodeBatch() {
    return () => Promise.resolve();
  }

  get sampleToken() {
    return (name: unknown) => {
      this.sampling.push(String(name));
      return new Promise((resolve) => this.ends.set(String(name), resolve));
    };
  }

  async end(name: string, result: Promise<string> = Promise.resolve(name)): Promise<void> {
    this.ends.get(name)?.(result);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function ordered(): Native {
  const native = new Native();
  orderLogits({ _ctx: native } as unknown as LlamaContext);
  return native;
}

test('the first sample after a decode goes alone, the others follow together', async () => {
  const native = ordered();
  await native.decodeBatch();
  const samples = ['a', 'b', 'c'].map((name) => native.sampleToken(name));
  assert.deepEqual(native.sampling, ['a']);
  await native.end('a');
  assert.deepEqual(native.sampling, ['a', 'b', 'c']);
  await native.end('b');
  await native.end('c');
  assert.deepEqual(await Promise.all(samples), ['a', 'b', 'c']);
});

test('so it is after every decode, and a first sample that fails holds up nobody', async () => {
  const native = ordered();
  for (const round of ['1', '2']) {
    await native.decodeBatch();
    const first = native.sampleToken(`first ${round}`);
    const second = native.sampleToken(`second ${round}`);
    assert.deepEqual(native.sampling.slice(-1), [`first ${round}`]);
    const failed = assert.rejects(first, /no token/);
    await native.end(`first ${round}`, Promise.reject(new Error('no token')));
    await failed;
    await native.end(`second ${round}`);
    assert.equal(await second, `second ${round}`);
  }
});
