import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isOutOfRoom, requireDiskRoom } from '../../workers/node/disk-room.js';
import { RESERVE_BYTES, SmallDisk } from './small-disk.js';

test('a disk is filled wholly or up to a rest, and gives its room back; who may not mount is told so', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'drover-disk-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const disk = await SmallDisk.mount(folder, 1).catch((err: unknown) => String(err));
  if (typeof disk === 'string') return assert.match(disk, /mount/);
  try {
    await disk.fill(0);
    assert.throws(() => writeFileSync(join(folder, 'log'), 'a'), isOutOfRoom);
    await disk.free();
    await disk.fill(RESERVE_BYTES / 2);
    assert.throws(() => requireDiskRoom(folder, RESERVE_BYTES));
    requireDiskRoom(folder, RESERVE_BYTES / 4);
    await disk.free();
    requireDiskRoom(folder, RESERVE_BYTES);
  } finally {
    await disk.unmount();
  }
});
