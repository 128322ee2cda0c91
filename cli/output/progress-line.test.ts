import assert from 'node:assert/strict';
import { test } from 'node:test';
import { layersLine, preparationLine, progressLine } from './progress-line.js';

const FRAME = {
  ...{ stage: 'downloading' as const, bytes_downloaded: 1_024_000_000, bytes_total: 4_096_000_000 },
  ...{ speed_mbps: 305.6, eta_ms: 80_400, paused: false },
};

test('a download of known size is a bar, its size, its pace and the time left', () => {
  assert.equal(progressLine(FRAME), '[######                  ]  25 % of 4.1 GB, 38.2 MB/s, 1 min 21 s left');
  const soon = { ...FRAME, bytes_downloaded: 4_096_000_000, eta_ms: 0 };
  assert.equal(progressLine(soon), '[########################] 100 % of 4.1 GB, 38.2 MB/s, 0 s left');
  assert.match(progressLine({ ...FRAME, eta_ms: 7_260_000 }), /, 2 h 1 min left$/);
});

test('where nobody has said how large it is there is no bar, and a pause has no pace', () => {
  assert.equal(progressLine({ ...FRAME, bytes_total: null, eta_ms: null }), '1.0 GB, 38.2 MB/s');
  assert.equal(
    progressLine({ ...FRAME, bytes_downloaded: 7, bytes_total: 0, eta_ms: null }),
    '7 B, 38.2 MB/s',
  );
  assert.match(progressLine({ ...FRAME, paused: true }), / 25 % of 4\.1 GB, paused$/);
});

test('a model that is loaded is a bar, its layers, and the memory of the GPU where it takes any', () => {
  const loading = { layers_loaded: 7, layers_total: 28, vram_mb: 0 };
  assert.equal(layersLine(loading), 'loading [######                  ]  25 % of 28 layers');
  assert.match(layersLine({ ...loading, vram_mb: 2_000 }), / 28 layers, 2\.1 GB of GPU memory$/);
});

test('a pool that wakes is told by its first step that is not over: a bar where its share is known, and words', () => {
  const step = {
    status: 'running',
    bytes_total: null,
    bytes_done: null,
    eta_ms: 3_000,
    phase: 'load',
  } as const;
  const loads = { ...step, pct: 25, human: 'loads the model, about 3.0 s to go' };
  assert.equal(
    preparationLine([loads]),
    '[######                  ]  25 %, loads the model, about 3.0 s to go',
  );
  assert.equal(preparationLine([{ ...loads, pct: null }, loads]), 'loads the model, about 3.0 s to go');
  assert.equal(preparationLine([]), 'about to begin');
});
