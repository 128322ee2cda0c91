/**
 * Outputs recorded from real tools, with the columns that their owners asked for:
 * - RTX 5050, driver 580.159.03: an installation's published notes (the column `index` is added here)
 * - two L4, driver 570.144: a published host inventory; H200: a published session, its driver not named
 * - GB10, driver 580.126.09 and 580.173.02: unslothai/unsloth#10703, XuehaiPan/nvitop#208
 * - library mismatch, NVML 535.161, exit code 18: anderskm/gputil#55
 * - lost GPU, driver 560: meta-llama/llama-models#200
 * - MIG: A100-SXM4-80GB from dcgm-job-map's README; A100-PCIE-40GB, driver 460.80, from DicardoX/Oh_My_TensorRT_ToolKit's
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseGpuList, parseGpuQuery } from './nvidia-smi.js';

const MIB = 1024 * 1024;

const RTX_5050 = `index, name, compute_cap, memory.total [MiB], memory.free [MiB]
0, NVIDIA GeForce RTX 5050, 12.0, 8151 MiB, 7705 MiB
`;
const TWO_L4 = `index, name, compute_cap, memory.total [MiB], driver_version, compute_mode, mig.mode.current
0, NVIDIA L4, 8.9, 23034 MiB, 570.144, Default, [N/A]
1, NVIDIA L4, 8.9, 23034 MiB, 570.144, Default, [N/A]
`;
const H200 = `index, uuid, name, memory.total [MiB], memory.used [MiB]
0, GPU-78aaaccb-3af1-11b3-b1f8-3828c251d9f2, NVIDIA H200-141C, 144384 MiB, 45558 MiB
`;
const GB10 = `index, name, memory.total [MiB], memory.free [MiB]
0, NVIDIA GB10, [N/A], [N/A]
`;
const MISMATCH = `Failed to initialize NVML: Driver/library version mismatch
NVML library version: 535.161
`;
const LOST = 'Unable to determine the device handle for GPU0000:17:00.0: Unknown Error';
const A100_LIST = `GPU 0: NVIDIA A100-SXM4-80GB (UUID: GPU-b614723c-e261-4605-066e-79daab4c00ff)
  MIG 7g.80gb     Device  0: (UUID: MIG-dc34c2fd-4bd7-52ad-a6d0-645dcd1794e4)
GPU 1: NVIDIA A100-SXM4-80GB (UUID: GPU-e52dfcc4-406d-a3d4-f787-4402b535877a)
  MIG 2g.20gb     Device  0: (UUID: MIG-ec4c3916-65fa-5948-b9b5-9f21a2ddfcc0)
  MIG 1g.20gb     Device  1: (UUID: MIG-000d40d3-5924-5906-9879-8b69bf58689b)
`;
const A100_LIST_460 = `GPU 0: A100-PCIE-40GB (UUID: GPU-9de3d0e8-33f5-10dc-0c79-2c88a7ab0a23)
  MIG 4g.20gb Device 0: (UUID: MIG-GPU-9de3d0e8-33f5-10dc-0c79-2c88a7ab0a23/2/0)
`;

test('B-PREFLIGHT-014 B-PREFLIGHT-015: a device has id, name, compute capability and its memory in bytes', () => {
  assert.deepEqual(parseGpuQuery(RTX_5050).devices, [
    {
      index: '0',
      uuid: null,
      name: 'NVIDIA GeForce RTX 5050',
      compute_capability: '12.0',
      vram_total_bytes: 8_151 * MIB,
      vram_free_bytes: 7_705 * MIB,
      temperature_celsius: null,
      mig_devices: [],
    },
  ]);
  const [h200] = parseGpuQuery(H200).devices;
  assert.equal(h200?.uuid, 'GPU-78aaaccb-3af1-11b3-b1f8-3828c251d9f2');
  assert.equal(h200.vram_total_bytes, 144_384 * MIB);
});

test('B-WPRE-017: a temperature is what the driver says, and unknown where it says nothing', () => {
  const told = (cell: string) => {
    const csv = `index, name, temperature.gpu\n0, NVIDIA H100, ${cell}\n`;
    return parseGpuQuery(csv).devices[0]?.temperature_celsius;
  };
  assert.equal(told('47'), 47);
  assert.equal(told('[N/A]'), null);
  assert.equal(told('N/A'), null);
});

test('several devices keep the order of the driver, and one that is not cut up has no MIG', () => {
  const { devices, migEnabled } = parseGpuQuery(TWO_L4);
  assert.deepEqual(
    devices.map(({ index, name }) => [index, name]),
    [
      ['0', 'NVIDIA L4'],
      ['1', 'NVIDIA L4'],
    ],
  );
  assert.equal(migEnabled, false);
  assert.equal(parseGpuQuery(TWO_L4.replace('[N/A]', 'Enabled')).migEnabled, true);
});

test('a unit in the header stands for cells without one, and another unit is not taken for MiB', () => {
  const bare = RTX_5050.replaceAll(/(\d+) MiB/g, '$1');
  assert.deepEqual(parseGpuQuery(bare), parseGpuQuery(RTX_5050));
  assert.equal(
    parseGpuQuery(RTX_5050.replace('8151 MiB', '8 GiB')).devices[0]?.vram_total_bytes,
    8 * 1024 ** 3,
  );
  assert.equal(parseGpuQuery(RTX_5050.replace('8151 MiB', '8 pages')).devices[0]?.vram_total_bytes, null);
});

test('memory that the driver does not tell is unknown, not zero', () => {
  const [gb10] = parseGpuQuery(GB10).devices;
  assert.deepEqual([gb10?.name, gb10?.vram_total_bytes, gb10?.vram_free_bytes], ['NVIDIA GB10', null, null]);
  const lost = RTX_5050.replace('7705 MiB', '[GPU is lost]');
  assert.equal(parseGpuQuery(lost).devices[0]?.vram_free_bytes, null);
});

test('an error message is no device, alone or among devices', () => {
  assert.deepEqual(parseGpuQuery(MISMATCH).devices, []);
  assert.deepEqual(parseGpuQuery('').devices, []);
  assert.deepEqual(parseGpuQuery('No devices were found\n').devices, []);
  const [header = '', first = ''] = TWO_L4.split('\n');
  const indices = parseGpuQuery([header, first, LOST].join('\n')).devices.map(({ index }) => index);
  assert.deepEqual(indices, ['0']);
});

test('B-DEVICE-016: MIG slices are named as the driver lists them, each under its GPU', () => {
  assert.deepEqual(
    [...parseGpuList(A100_LIST)],
    [
      ['0', ['MIG-dc34c2fd-4bd7-52ad-a6d0-645dcd1794e4']],
      ['1', ['MIG-ec4c3916-65fa-5948-b9b5-9f21a2ddfcc0', 'MIG-000d40d3-5924-5906-9879-8b69bf58689b']],
    ],
  );
  assert.deepEqual(
    [...parseGpuList(A100_LIST_460)],
    [['0', ['MIG-GPU-9de3d0e8-33f5-10dc-0c79-2c88a7ab0a23/2/0']]],
  );
  assert.equal(parseGpuList(MISMATCH).size, 0);
});
