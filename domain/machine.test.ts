import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backendsOf, resourcesOf } from './machine.js';

const GB = 1024 ** 3;

test('B-NODE-033: each backend is told with whether it is there, and why not', () => {
  const here = { allowed: ['cuda', 'cpu', 'metal', 'vulkan'], platform: 'linux', arch: 'x64' };
  const available = (facts: Parameters<typeof backendsOf>[0]) =>
    backendsOf(facts).flatMap(({ backend, available }) => (available ? [backend] : []));
  assert.deepEqual(available({ ...here, gpus: 0 }), ['cpu']);
  assert.deepEqual(available({ ...here, gpus: 2 }), ['cuda', 'cpu']);
  assert.deepEqual(available({ ...here, gpus: 0, platform: 'darwin', arch: 'arm64' }), ['cpu', 'metal']);
  assert.deepEqual(backendsOf({ ...here, allowed: ['cuda'], gpus: 1 }), [
    { backend: 'cuda', available: true, reason: null },
    { backend: 'cpu', available: false, reason: 'DROVER_NODE_BACKENDS does not name it' },
    { backend: 'metal', available: false, reason: 'DROVER_NODE_BACKENDS does not name it' },
  ]);
});

test('B-NODE-034: memory and disk are told in gigabytes; below 8 and 50 free there is a warning of each', () => {
  const plenty = { ramTotal: 64 * GB, ramAvailable: 8 * GB, diskTotal: 1_000 * GB, diskAvailable: 50 * GB };
  assert.deepEqual(resourcesOf(plenty), {
    ...{ ram_total_gb: 64, ram_available_gb: 8, disk_total_gb: 1_000, disk_available_gb: 50 },
    warnings: [],
  });
  const warned = (facts: Partial<typeof plenty>) => resourcesOf({ ...plenty, ...facts }).warnings;
  assert.match(warned({ ramAvailable: 7.5 * GB }).join('|'), /^7\.5 GB of memory [^|]*$/);
  assert.match(warned({ diskAvailable: 49 * GB }).join('|'), /^49 GB of the disk [^|]*$/);
  assert.equal(warned({ ramAvailable: 0, diskAvailable: 0 }).length, 2);
});
