import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DroverError, offendingFields } from '../../contracts/errors.js';
import { taskBody } from '../testing/test-api.js';
import { checkTask } from './check-task.js';

const LIMITS = { maxOutputTokens: 50_000 };

describe('checking a task', () => {
  for (const over of [
    {},
    { ctx: 32_768, max_tokens: 50_000, priority: 'batch' },
    { task_id: 'A.b_c:d-9', session_id: 'x'.repeat(128) },
    { prompt: '' },
    { model_ref: 'hf:org/repo/path.gguf', output_mode: 'nobody-knows' },
    { placement: { mode: 'pin', pin_pool_id: 'p' }, stop: ['\n'], seed: -1, temperature: 0 },
    { unknown_field: 1 },
  ]) {
    it(`takes ${JSON.stringify(over)}`, () => {
      assert.equal(checkTask(taskBody(over), LIMITS).session_id, taskBody(over)['session_id']);
    });
  }

  for (const [id, field, over] of [
    ['B-DP-001', 'ctx', { ctx: -1 }],
    ['B-DP-040', 'ctx', { ctx: 1.5 }],
    ['B-DP-040', 'ctx', { ctx: '1' }],
    ['B-DP-042', 'max_tokens', { max_tokens: 50_001 }],
    ['B-DP-040', 'max_tokens', { max_tokens: 2_147_483_648 }],
    ['B-DP-040', 'max_tokens', { max_tokens: 0 }],
    ['B-DP-002', 'deadline_ms', { deadline_ms: 0 }],
    ['B-DP-045', 'task_id', { task_id: '' }],
    ['B-DP-045', 'task_id', { task_id: 'x'.repeat(129) }],
    ['B-DP-045', 'session_id', { session_id: 'a/b' }],
    ['B-DP-046', 'model_ref', { model_ref: 'hf:' }],
    ['B-DP-046', 'model_ref', { model_ref: 'file:../../etc/passwd' }],
    ['B-DP-040', 'inputs', { workload: 'embedding', prompt: undefined }],
    ['B-DP-040', 'inputs', { workload: 'embedding', prompt: undefined, inputs: [] }],
    ['B-DP-040', 'inputs', { workload: 'embedding', prompt: undefined, inputs: ['a', ''] }],
    ['B-DP-040', 'inputs', { workload: 'embedding', prompt: undefined, inputs: Array(2049).fill('a') }],
    ['B-DP-040', 'prompt', { workload: 'embedding', inputs: ['a'] }],
    ['B-DP-040', 'inputs', { workload: 'rerank', prompt: 'q' }],
    ['B-DP-040', 'prompt', { workload: 'rerank', prompt: undefined, inputs: ['a'] }],
    ['B-DP-040', 'workload', { workload: 'sing' }],
    ['B-DP-040', 'prompt', { prompt: undefined }],
    ['B-DP-040', 'prompt', { prompt: 7 }],
    ['B-DP-040', 'engine', { engine: 'other' }],
    ['B-DP-040', 'placement.pin_pool_id', { placement: { mode: 'pin' } }],
    ['B-DP-040', 'stop.1', { stop: ['a', ''] }],
  ] as const) {
    it(`${id}: names ${field} in ${JSON.stringify(over).slice(0, 60)}`, () => {
      assert.throws(
        () => checkTask(taskBody(over), LIMITS),
        (err: unknown) => {
          assert.ok(err instanceof DroverError);
          assert.deepEqual(
            offendingFields(err.extras).map(({ field }) => field),
            [field],
          );
          return err.code === (field === 'deadline_ms' ? 'DEADLINE_UNMET' : 'INVALID_PARAMS');
        },
      );
    });
  }
});
