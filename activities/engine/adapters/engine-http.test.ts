import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withCorrelation } from '../../../telemetry/correlation.js';
import { ScriptedServer, sendJson } from '../../../testing/scripted-server.js';
import { EngineHttp } from './engine-http.js';

test('B-COR-001, B-COR-002, B-COR-007: an engine is told the ids of the request that it is asked for, and no others', async (t) => {
  const server = await ScriptedServer.start((response) => sendJson(response, 200, {}));
  const http = new EngineHttp(server.url, { key: 'k', firstByteMs: 2_000, idleMs: 2_000 });
  t.after(async () => {
    await http.close();
    await server.close();
  });
  const signal = AbortSignal.timeout(5_000);
  const trace = { trace_id: 't-1', span_id: 's-1', traceparent: 'as-it-came' };
  await withCorrelation('c-1', () => http.post('/completion', {}, signal), trace);
  await http.get('/props', signal);
  const told = server.requests.map(({ headers }) => [
    headers['x-correlation-id'],
    headers['x-trace-id'],
    headers['x-span-id'],
    headers['x-parent-span-id'],
    headers['traceparent'],
    headers['authorization'],
  ]);
  assert.deepEqual(told, [
    ['c-1', 't-1', 's-1', undefined, 'as-it-came', 'Bearer k'],
    [undefined, undefined, undefined, undefined, undefined, 'Bearer k'],
  ]);
});
