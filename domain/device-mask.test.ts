import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cudaVisibleDevices, maskedDevices } from './device-mask.js';

test('B-DEVICE-001 B-DEVICE-002: a mask names GPUs by index or by name, and keeps their order', () => {
  assert.deepEqual(maskedDevices('0,1'), ['0', '1']);
  assert.deepEqual(maskedDevices('GPU0,GPU1'), ['0', '1']);
  assert.deepEqual(maskedDevices('gpu1, 0'), ['1', '0']);
});

test('B-DEVICE-005: a mask becomes the value of CUDA_VISIBLE_DEVICES, MIG names unchanged', () => {
  assert.equal(cudaVisibleDevices('GPU0,GPU1'), '0,1');
  assert.equal(cudaVisibleDevices('MIG-1c2e'), 'MIG-1c2e');
});
