import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GpuDevice } from './gpu.js';
import {
  planSplit,
  splitWishProblem,
  staysOnOneGpu,
  withSplit,
  type ModelNeed,
  type SplitPlan,
  type TensorSplit,
} from './hetero-split.js';

const GIB = 1024 ** 3;

function gpus(...freeGib: (number | null)[]): GpuDevice[] {
  return freeGib.map((free, index) => ({
    index: String(index),
    uuid: null,
    name: 'GPU',
    compute_capability: null,
    vram_total_bytes: null,
    vram_free_bytes: free === null ? null : free * GIB,
    temperature_celsius: 34,
    mig_devices: [],
  }));
}

function need(weightsGib: number, kvGib = 0): ModelNeed {
  return { weights_bytes: weightsGib * GIB, kv_bytes: kvGib * GIB };
}

function plan(split: TensorSplit, mask: string, free: GpuDevice[], wanted: ModelNeed): SplitPlan {
  const verdict = planSplit(split, mask, free, wanted);
  assert.ok(verdict.ok && verdict.plan !== null, JSON.stringify(verdict));
  return verdict.plan;
}

function ratiosOf({ parts }: SplitPlan): number[] {
  return parts.map(({ ratio }) => ratio);
}

function assertSumsToOne(ratios: readonly number[]): void {
  assert.ok(Math.abs(ratios.reduce((sum, ratio) => sum + ratio, 0) - 1) <= 1e-6, ratios.join());
  for (const ratio of ratios) assert.ok(ratio > 0, ratios.join());
}

test('B-HETERO-001: the part of each GPU is that of its free memory, in the order of the mask', () => {
  assert.deepEqual(ratiosOf(plan('auto', '0,1', gpus(24, 8), need(20))), [0.75, 0.25]);
  assert.deepEqual(ratiosOf(plan('auto', 'GPU1,GPU0', gpus(24, 8), need(20))), [0.25, 0.75]);
});

test('B-HETERO-002 B-HETERO-003 OC-POOL-3021: whatever the GPUs, parts add up to 1, none is 0, and each fits its GPU', () => {
  for (const free of [
    [24, 8],
    [10, 10, 10],
    [80, 24, 8, 7, 3],
    [0.3, 0.3, 0.3],
  ]) {
    const room = free.reduce((sum, gib) => sum + gib, 0);
    for (const used of [0.1, 0.5, 0.99, 0.999999]) {
      const mask = free.map((_, index) => index).join();
      for (const split of ['auto', free.map(() => 1 / free.length)] as const) {
        const { parts } = plan(split, mask, gpus(...free), need(room * used * 0.8, room * used * 0.2));
        assertSumsToOne(parts.map(({ ratio }) => ratio));
        for (const { weights_bytes, kv_bytes, free_bytes } of parts)
          assert.ok(weights_bytes + kv_bytes <= free_bytes + 1, `${free.join()} ${used}`);
      }
    }
  }
});

test('B-HETERO-004: given ratios that the smallest GPU cannot hold are capped for it, and the plan says so', () => {
  const halves = plan([0.5, 0.5], '0,1', gpus(24, 8), need(20));
  assert.deepEqual(ratiosOf(halves), [0.6, 0.4]);
  assert.equal(halves.capped, true);
  const fits = plan([0.7, 0.3], '0,1', gpus(24, 8), need(20));
  assert.deepEqual([ratiosOf(fits), fits.capped], [[0.7, 0.3], false]);
});

test('B-HETERO-004: what the smallest cannot hold may fill the next, which is capped in its turn', () => {
  const { parts, capped } = plan([0.2, 0.4, 0.4], '0,1,2', gpus(24, 8, 4), need(20));
  assert.deepEqual(
    parts.map(({ ratio }) => Math.round(ratio * 1e6) / 1e6),
    [0.4, 0.4, 0.2],
  );
  assert.equal(capped, true);
});

test('B-HETERO-004 B-HETERO-005: a model beyond all GPUs together is refused with the figures, the smallest first', () => {
  for (const split of ['auto', [0.5, 0.5]] as const) {
    const verdict = planSplit(split, '0,1', gpus(24, 8), need(30, 5));
    assert.deepEqual(verdict, {
      ok: false,
      problem: `the model needs about ${35 * GIB} bytes of GPU memory (required), devices 1 has ${8 * GIB}, 0 has ${24 * GIB}, together ${32 * GIB} (available)`,
    });
  }
});

test('B-HETERO-005: a GPU with nothing free, or that does not tell, has no part, so there is no split', () => {
  for (const [free, said] of [
    [gpus(24, 0), /device 1 has nothing free/],
    [gpus(24, null), /not every device of it tells its free memory/],
  ] as const) {
    const verdict = planSplit('auto', '0,1', free, need(20));
    assert.ok(!verdict.ok);
    assert.match(verdict.problem, said);
  }
});

test('B-HETERO-006: nothing asked is no split, and so is a mask of one GPU', () => {
  assert.deepEqual(planSplit(null, '0,1', gpus(24, 8), need(20)), { ok: true, plan: null });
  assert.deepEqual(planSplit('auto', '1', gpus(24, 8), need(4)), { ok: true, plan: null });
});

test('B-HETERO-006: llama.cpp, which spreads by itself, is kept on one GPU unless it is told otherwise', () => {
  const launch = { engine: 'llamacpp', tensor_split: null, flags: ['--model', '/m'], env: {} };
  assert.equal(staysOnOneGpu(launch), true);
  assert.equal(staysOnOneGpu({ ...launch, tensor_split: 'auto' }), false);
  assert.equal(staysOnOneGpu({ ...launch, engine: 'vllm' }), false);
  for (const flags of [['--tensor-split', '1,1'], ['-ts=1,1'], ['--split-mode', 'row'], ['-mg', '1']])
    assert.equal(staysOnOneGpu({ ...launch, flags }), false, flags.join(' '));
  assert.equal(staysOnOneGpu({ ...launch, env: { LLAMA_ARG_MAIN_GPU: '1' } }), false);
});

test('B-HETERO-007 B-HETERO-010: llama.cpp is told in the order of the mask, and the plan stays with the launch', () => {
  const first = plan('auto', '1,0', gpus(24, 8), need(20));
  const launch = withSplit({ flags: ['--model', '/m'], split_plan: null }, first);
  assert.deepEqual(launch.flags, ['--model', '/m', '--tensor-split', '0.25,0.75']);
  assert.deepEqual(launch.split_plan, first);
  const second = plan([0.5, 0.5], '1,0', gpus(24, 24), need(20));
  assert.deepEqual(withSplit(launch, second).flags, ['--model', '/m', '--tensor-split', '0.5,0.5']);
  assert.deepEqual(withSplit(launch, null), { flags: ['--model', '/m'], split_plan: null });
});

test('B-HETERO-008: the cache counts in the part of the smallest GPU, which it caps with the weights', () => {
  const without = plan([0.6, 0.4], '0,1', gpus(24, 8), need(20));
  assert.equal(without.capped, false);
  const { parts, capped } = plan([0.6, 0.4], '0,1', gpus(24, 8), need(20, 5));
  const smallest = parts[1];
  assert.equal(capped, true);
  assert.ok(smallest && Math.abs(smallest.ratio - 8 / 25) < 1e-9);
  assert.equal(smallest.kv_bytes, Math.floor(5 * GIB * smallest.ratio));
  assert.ok(smallest.kv_bytes <= smallest.free_bytes - smallest.weights_bytes);
});

for (const { what, split, mask = '0,1', flags = [], engine = 'llamacpp', said } of [
  { what: 'do not add up to 1', split: [0.5, 0.4], said: /add up to 0\.9, not to 1/ },
  { what: 'are too few', split: [1], said: /1 ratios for the 2 devices of the mask "0,1"/ },
  { what: 'are too many', split: [0.5, 0.25, 0.25], said: /3 ratios for the 2 devices/ },
  { what: 'are negative', split: [1.5, -0.5], said: /the ratio -0\.5 is not above 0/ },
  { what: 'hold a zero', split: [1, 0], said: /the ratio 0 is not above 0/ },
  { what: 'have no mask', split: 'auto' as const, mask: null, said: /needs a device_mask/ },
  {
    what: 'are in the flags too',
    split: 'auto' as const,
    flags: ['-ts=1,1'],
    said: /have a --tensor-split already/,
  },
  { what: 'are for another engine', split: 'auto' as const, engine: 'vllm', said: /kind vllm/ },
]) {
  test(`B-HETERO-009: ratios that ${what} are refused before anything is looked at`, () => {
    const wish = { engine, tensor_split: split, device_mask: mask, flags, split_plan: null };
    assert.match(splitWishProblem(wish) ?? 'nothing', said);
  });
}

test('B-HETERO-009: ratios that add up to 1, give or take a millionth, pass', () => {
  const wish = { engine: 'llamacpp', device_mask: '0,1,2', flags: [], split_plan: null };
  for (const tensor_split of ['auto' as const, null, [0.3333333, 0.3333333, 0.3333333], [0.5, 0.25, 0.25]])
    assert.equal(splitWishProblem({ ...wish, tensor_split }), undefined);
});
