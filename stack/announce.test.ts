import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { runTool } from '../activities/process/run.js';
import { taskRequest } from '../contracts/task.js';
import { announcement, curlLine } from './announce.js';

const urls = {
  api: 'http://127.0.0.1:8080',
  temporal: '127.0.0.1:7233',
  temporal_ui: 'http://127.0.0.1:8233',
};

describe('what npm start says', () => {
  it('names the API, its key, the UI at the namespace, and the logs', () => {
    const said = announcement({
      urls,
      apiKey: 'dk-1',
      namespace: 'prod',
      logDir: '/s/logs',
      modelRef: 'default',
    }).join('\n');
    for (const part of [
      'http://127.0.0.1:8080',
      'dk-1',
      'http://127.0.0.1:8233/namespaces/prod/workflows',
      '/s/logs',
      "npx drover run 'default'",
    ]) {
      assert.ok(said.includes(part), part);
    }
  });

  it("names Temporal's address where its UI is not ours", () => {
    const said = announcement({
      urls: { ...urls, temporal_ui: null },
      apiKey: 'k',
      namespace: 'n',
      logDir: 'l',
      modelRef: 'tea',
    }).join('\n');
    assert.ok(said.includes('that of 127.0.0.1:7233'));
    assert.ok(said.includes(String.raw`\"model_ref\":\"tea\"`), said);
  });

  it('gives a line that works when pasted into a shell, even with quotes in the key', async () => {
    const requests: { path: string; key: unknown; body: unknown }[] = [];
    const server = createServer((request, response) => {
      void bodyOf(request).then((body) => {
        requests.push({ path: request.url ?? '', key: request.headers['x-api-key'], body });
        response.end('{}');
      });
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      const line = curlLine(`http://127.0.0.1:${port}`, "it's $HOME", 'default');
      const { ok, outcome } = await runTool('sh', ['-c', line], { timeoutMs: 10_000 });
      assert.ok(ok, outcome);
      const [task, events] = requests;
      const { task_id: id } = taskRequest.parse(task?.body);
      assert.match(id, /^hello-\d+$/);
      assert.deepEqual([task?.path, task?.key], ['/v2/tasks', "it's $HOME"]);
      assert.deepEqual([events?.path, events?.key], [`/v2/tasks/${id}/events`, "it's $HOME"]);
    } finally {
      server.close();
    }
  });
});

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks = await request.toArray();
  const text = Buffer.concat(chunks).toString('utf8');
  return text === '' ? undefined : JSON.parse(text);
}
