import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MemoryRun } from '../testing/memory-nodes.js';
import { taskBody } from '../testing/test-api.js';
import { checkTask } from './check-task.js';
import { admissionFields, cancelFields } from './narrate.js';

const request = checkTask(taskBody(), { maxOutputTokens: 100 });
const view = new MemoryRun('node-1', {
  task_id: 't-1',
  pool_id: 'default',
  epoch: 1,
  digest: 'd',
  correlation_id: 'c',
  request,
  input: { kind: 'text', text: 'canary' },
}).view();

describe('breadcrumbs', () => {
  it('B-NARR-004: are at most 100 characters, whatever the figures', () => {
    const figure = fc.nat(Number.MAX_SAFE_INTEGER);
    fc.assert(
      fc.property(figure, figure, fc.constantFrom('interactive', 'batch'), (position, startMs, priority) => {
        const admission = { ...view.admission, queue_position: position, predicted_start_ms: startMs };
        const { human } = admissionFields({ ...request, priority }, { ...view, admission }, null, true);
        assert.ok(human.length <= 100, human);
        assert.ok(human.includes(String(startMs)));
      }),
    );
    fc.assert(
      fc.property(figure, (tokens_out) => cancelFields('t', { ...view, tokens_out }).human.length <= 100),
    );
  });

  it('B-NARR-003: leave out what is not known', () => {
    const unknown = { ...view, engine_version: null, replica_id: null };
    const fields = admissionFields(request, unknown, null, true);
    for (const name of ['engine_version', 'replica_id', 'identity']) assert.ok(!(name in fields), name);
    assert.ok(!('pool_id' in cancelFields('t', undefined)));
  });
});
