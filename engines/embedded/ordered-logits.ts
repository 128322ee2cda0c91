/**
 * One sequence's token must never reach another. After a decode, llama.cpp puts the rows of the logits in order when they
 * are first looked at, and node-llama-cpp looks at them from several threads at once, one for each sequence: two rows may
 * then be exchanged, and two streams each get a token of the other. So the first sample after a decode goes alone.
 */
import type { LlamaContext, NativeContext } from './llama-types.js';

/** Makes the context sample in that order; once, before anybody generates. */
export function orderLogits({ _ctx: native }: LlamaContext): void {
  const decode = native.decodeBatch.bind(native);
  const sample = native.sampleToken.bind(native);
  /** Settles when the rows are in order; undefined while nobody has looked at them. */
  let ordered: Promise<void> | undefined;
  const decodeBatch = async (): Promise<void> => {
    await decode();
    ordered = undefined;
  };
  const sampleToken: NativeContext['sampleToken'] = (...args) => {
    if (ordered !== undefined) return ordered.then(() => sample(...args));
    const first = sample(...args);
    // Where the first sample fails the rows are in order all the same.
    ordered = first.then(
      () => undefined,
      () => undefined,
    );
    return first;
  };
  // What a native class has by itself cannot be written to.
  Object.defineProperties(native, {
    decodeBatch: { value: decodeBatch },
    sampleToken: { value: sampleToken },
  });
}
