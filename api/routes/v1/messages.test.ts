import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { DroverError } from '../../../contracts/errors.js';
import { startTestApi, type TestApi } from '../../testing/test-api.js';

describe('counting the tokens of a message', () => {
  let api: TestApi;
  beforeEach(async () => {
    api = await startTestApi();
  });
  afterEach(() => api.close());

  const count = (more: object = {}) =>
    api.ask('POST', '/v1/messages/count_tokens', {
      payload: { model: 'demo', messages: [{ role: 'user', content: 'one two three' }], ...more },
    });

  it('asks the node that serves the model, and counts what the system says too', async () => {
    assert.deepEqual((await count()).json(), { input_tokens: 3 });
    assert.deepEqual((await count({ system: 'be brief' })).json(), { input_tokens: 5 });
    assert.ok(api.nodes.calls.includes('node-1 count default'));
  });

  it('begins no task', async () => {
    await count();
    assert.equal(api.nodes.runs.size, 0);
  });

  it("is refused in Anthropic's words: by the engine, and for a model that nobody serves", async () => {
    assert.equal((await count({ model: 'nobody-serves-this' })).statusCode, 404);
    api.nodes.refusal = new DroverError('INVALID_PARAMS', 'the engine takes text');
    const { statusCode, body } = await count();
    assert.deepEqual([statusCode, /"type":"invalid_request_error"/.test(body)], [400, true]);
  });
});
