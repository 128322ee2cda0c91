import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  claimProblem,
  cudaVisibleDevices,
  gpusOfMask,
  maskedDevices,
  maskProblem,
  missingDevices,
  sameDevices,
  type DeviceClaim,
} from './device-mask.js';
import type { GpuDevice } from './gpu.js';

const SLICE = 'MIG-ec4c3916-65fa-5948-b9b5-9f21a2ddfcc0';

function gpu(index: string, changes: Partial<GpuDevice> = {}): GpuDevice {
  return {
    index,
    uuid: `GPU-uuid-${index}`,
    name: 'NVIDIA H100',
    compute_capability: '9.0',
    vram_total_bytes: 80,
    vram_free_bytes: 70,
    temperature_celsius: 34,
    mig_devices: [],
    ...changes,
  };
}

const NODE = [gpu('0'), gpu('1'), gpu('2', { mig_devices: [SLICE] })];

function claim(pool_id: string, device_mask: string | null, share_devices = false): DeviceClaim {
  return { pool_id, device_mask, share_devices };
}

test('B-DEVICE-001 B-DEVICE-002: a mask names GPUs by index or by name, and keeps their order', () => {
  assert.deepEqual(maskedDevices('0,1'), ['0', '1']);
  assert.deepEqual(maskedDevices('GPU0,GPU1'), ['0', '1']);
  assert.deepEqual(maskedDevices('gpu1, 00'), ['1', '0']);
});

test('B-DEVICE-003: a mask is checked against the devices that were discovered, by index, by name and by UUID', () => {
  for (const mask of ['0,1', 'GPU1,GPU0', '2,GPU-uuid-0']) assert.equal(maskProblem(mask, NODE), undefined);
  assert.equal(maskProblem('0', []), 'device_mask "0": "0" is unknown; the node has no device');
});

for (const { what, mask, said } of [
  { what: 'a device that is not there', mask: '0,5', said: '"5" is unknown' },
  { what: 'a device twice', mask: '0,1,0', said: '"0" names device 0 again' },
  { what: 'a device twice, by two names', mask: '1,GPU1', said: '"GPU1" names device 1 again' },
  {
    what: 'a device twice, by index and UUID',
    mask: '1,GPU-uuid-1',
    said: '"GPU-uuid-1" names device 1 again',
  },
  { what: 'an empty item', mask: '0,,1', said: 'item 2 is empty' },
  { what: 'nothing at all', mask: '', said: 'item 1 is empty' },
  { what: 'garbage', mask: '0,banana', said: '"banana" is unknown' },
  { what: 'a negative number', mask: '-1', said: '"-1" is unknown' },
]) {
  test(`B-DEVICE-004: a mask with ${what} is refused with the item and the known devices`, () => {
    const known = `0 (NVIDIA H100), 1 (NVIDIA H100), 2 (NVIDIA H100), ${SLICE}`;
    assert.equal(maskProblem(mask, NODE), `device_mask "${mask}": ${said}; the node has ${known}`);
  });
}

test('B-DEVICE-004: where no driver can be asked the spelling alone is judged', () => {
  for (const mask of ['0,7', 'GPU3', SLICE, 'MIG-GPU-9de3d0e8/2/0'])
    assert.equal(maskProblem(mask, undefined), undefined);
  for (const mask of ['0,0', 'banana', '0,', '0 1', '-1'])
    assert.match(maskProblem(mask, undefined) ?? '', /the node has no driver that lists its devices/);
});

test('B-DEVICE-005: a mask becomes the value of CUDA_VISIBLE_DEVICES, in its order, other names unchanged', () => {
  assert.equal(cudaVisibleDevices('GPU0,GPU1'), '0,1');
  assert.equal(cudaVisibleDevices('1, 0'), '1,0');
  assert.equal(cudaVisibleDevices(SLICE), SLICE);
});

test('B-DEVICE-014: masks are equal as sets, whatever their order and spelling', () => {
  for (const mask of ['0,1', 'GPU0,GPU1', '1,0', ' gpu1 , 0'])
    assert.equal(sameDevices('0,1', mask), true, mask);
  for (const mask of ['0', '0,1,2', '1,2', null]) assert.equal(sameDevices('0,1', mask), false, String(mask));
  assert.equal(sameDevices(null, null), true);
});

test('B-DEVICE-015: overlapping masks of two pools are refused with the devices and the other pool', () => {
  const held = [claim('a', '0,1')];
  const said = claimProblem(claim('b', 'GPU1,GPU2'), held) ?? '';
  assert.match(said, /"GPU1,GPU2" overlaps with "0,1" of pool a in 1;.*share_devices/);
  assert.equal(claimProblem(claim('b', '2'), held), undefined);
  assert.equal(claimProblem(claim('a', '0'), held), undefined); // Its own replicas are no other pool.
});

test('B-DEVICE-015: devices are shared when both pools declare it, and not when one does', () => {
  assert.equal(claimProblem(claim('b', '1', true), [claim('a', '0,1', true)]), undefined);
  assert.match(claimProblem(claim('b', '1', true), [claim('a', '0,1')]) ?? '', /overlaps/);
  assert.match(claimProblem(claim('b', '1'), [claim('a', '0,1', true)]) ?? '', /overlaps/);
  assert.equal(claimProblem(claim('b', null), [claim('a', '0,1')]), undefined);
  assert.equal(claimProblem(claim('b', '1'), [claim('a', null)]), undefined);
});

test('B-DEVICE-016: a MIG slice that was discovered is a device by its name, and one that was not is unknown', () => {
  assert.equal(maskProblem(SLICE, NODE), undefined);
  assert.match(maskProblem('MIG-0000', NODE) ?? '', /"MIG-0000" is unknown/);
  assert.match(maskProblem(`${SLICE},${SLICE}`, NODE) ?? '', /again/);
  assert.deepEqual(gpusOfMask(`1,${SLICE},0`, NODE), [NODE[1], NODE[0]]);
});

test('B-DEVICE-017: devices that the driver lists no longer are named', () => {
  assert.deepEqual(missingDevices(`GPU0,1,${SLICE}`, NODE), []);
  assert.deepEqual(missingDevices(`GPU0,1,${SLICE}`, [gpu('0')]), ['1', SLICE]);
});
