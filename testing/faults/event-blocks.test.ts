import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventBlocks } from './event-blocks.js';

const STREAM = 'id: 0\nevent: started\ndata: {"a":1}\n\n: keep-alive\n\nid: 1.2\ndata: [DONE]\n\n';
const EVENTS = [
  { id: '0', event: 'started', data: '{"a":1}' },
  { id: '1.2', event: 'message', data: '[DONE]' },
];

test('events come out as they went in, comments left out', () => {
  assert.deepEqual(new EventBlocks().take(STREAM), EVENTS);
});

test('wherever the network cuts the text, the events are the same', () => {
  for (let cut = 0; cut <= STREAM.length; cut++) {
    const blocks = new EventBlocks();
    const events = [...blocks.take(STREAM.slice(0, cut)), ...blocks.take(STREAM.slice(cut))];
    assert.deepEqual(events, EVENTS, `cut at ${cut}`);
  }
});

test('an event that was cut off by a death is none', () => {
  assert.deepEqual(new EventBlocks().take('id: 3\nevent: token\ndata: {"t":"half'), []);
});

test('an error without an id is kept without one', () => {
  assert.deepEqual(new EventBlocks().take('event: error\ndata: {}\n\n'), [
    { id: undefined, event: 'error', data: '{}' },
  ]);
});
