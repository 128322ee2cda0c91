import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refusal } from './engine-failure.js';

const rows = [
  [503, '', 'POOL_UNREADY'],
  [429, '', 'POOL_UNREADY'],
  [400, '{"error":{"type":"exceed_context_size_error"}}', 'INVALID_PARAMS'],
  [400, '{"error":{"code":400,"message":"Prompt contains invalid tokens"}}', 'INVALID_PARAMS'],
  [400, '{"error":{"message":"/opt/engine.cpp: something else"}}', 'INTERNAL'],
  [501, "The embedded engine does not support 'n_probs'", 'INVALID_PARAMS'],
  [422, '{"error":"`top_n_tokens` must be >= 0 and <= 5. Given: 20"}', 'INVALID_PARAMS'],
  [400, '{"error":"tool_choice = required needs --tool-call-parser"}', 'INVALID_PARAMS'],
  [500, 'a stack trace of tools and logprobs', 'INTERNAL'],
] as const;
for (const [status, body, code] of rows) {
  test(`an engine's ${status} with "${body}" is ${code}, and its words stay with us`, () => {
    const failure = refusal(status, body);
    assert.equal(failure.code, code);
    assert.ok(body === '' || !failure.message.includes(body));
    assert.ok(!failure.message.includes('/opt'));
  });
}
