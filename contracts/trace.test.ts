import assert from 'node:assert/strict';
import { test } from 'node:test';
import { traceHeaders, traceOf } from './trace.js';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const PARENT = `00-${TRACE}-${SPAN}-01`;

test("B-COR-001: a caller's trace, span and parent are read, and what it did not send stays unset", () => {
  assert.deepEqual(traceOf({ 'x-trace-id': 't', 'x-span-id': 's', 'x-parent-span-id': 'p', accept: '*/*' }), {
    ...{ trace_id: 't', span_id: 's', parent_span_id: 'p' },
  });
  assert.deepEqual(traceOf({ 'x-span-id': 's' }), { span_id: 's' });
  assert.deepEqual(traceOf({}), {});
});

test('B-COR-008: a value that could forge a line or a header counts as missing', () => {
  for (const value of ['', 'a b', 'a\nb', 'a\u0000', 'x'.repeat(129), 'é'])
    assert.deepEqual(traceOf({ 'x-trace-id': value }), {});
  assert.deepEqual(traceOf({ 'x-trace-id': ['a', 'b'] }), {});
});

test('B-COR-007: traceparent gives trace and parent where no header of our own does, and goes on as it came', () => {
  const read = { trace_id: TRACE, parent_span_id: SPAN, traceparent: PARENT };
  assert.deepEqual(traceOf({ traceparent: PARENT }), read);
  assert.deepEqual(traceOf({ traceparent: PARENT, 'x-trace-id': 'mine' }), { ...read, trace_id: 'mine' });
  for (const wrong of [`01-${TRACE}-${SPAN}-01`, `00-${'0'.repeat(32)}-${SPAN}-01`, 'rubbish'])
    assert.deepEqual(traceOf({ traceparent: wrong }), {});
  assert.deepEqual(traceHeaders(read), {
    ...{ 'x-trace-id': TRACE, 'x-parent-span-id': SPAN, traceparent: PARENT },
  });
});
