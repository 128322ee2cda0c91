import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventBlocks, type EventBlock } from './event-blocks.js';

test('events are cut out whole wherever the text was broken', () => {
  const text = ': keep-alive\n\nid: 0\nevent: token\ndata: {"t":"a"}\n\ndata: [DONE]\n\n';
  for (let at = 0; at <= text.length; at += 1) {
    const blocks: EventBlock[] = [];
    const take = eventBlocks((block) => blocks.push(block));
    take(text.slice(0, at));
    take(text.slice(at));
    assert.deepEqual(blocks, [
      { id: '0', event: 'token', data: '{"t":"a"}' },
      { id: '', event: '', data: '[DONE]' },
    ]);
  }
});
