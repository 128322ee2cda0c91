import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startTestApi, type TestApi } from '../testing/test-api.js';

interface Operation {
  operationId?: string;
  summary?: string;
  responses: Record<
    string,
    { description: string; headers: object; content?: Record<string, { schema: object }> }
  >;
}
interface Document {
  openapi: string;
  info: { version: string };
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, unknown> };
}

describe("the API's description", () => {
  let api: TestApi;
  let document: Document;
  before(async () => {
    api = await startTestApi();
    document = api.app.swagger() as unknown as Document;
  });
  after(() => api.close());

  const operations = () =>
    Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, path, operation })),
    );

  it('B-CP-006: is of the 2.0.0 line', () => {
    assert.equal(document.openapi, '3.1.0');
    assert.equal(document.info.version, '2.0.0');
  });

  it('says of every operation and every status what it means, and that it carries the id', () => {
    for (const { name, operation } of operations()) {
      assert.ok(operation.summary, name);
      for (const [status, response] of Object.entries(operation.responses)) {
        assert.ok(
          response.description !== '' && response.description !== 'Default Response',
          `${name} ${status}`,
        );
        assert.ok('X-Correlation-Id' in response.headers, `${name} ${status}`);
      }
    }
  });

  it('refers to one envelope in every refusal of /v2', () => {
    for (const { name, path, operation } of operations()) {
      if (!path.startsWith('/v2')) continue;
      for (const [status, { content }] of Object.entries(operation.responses)) {
        if (Number(status) < 400) continue;
        const schema = content?.['application/json']?.schema;
        // Workers get the numeric code that their contract has (C-116).
        const isWorkers401 = path === '/v2/workers/register' && status === '401';
        const expected = `#/components/schemas/${isWorkers401 ? 'WorkerRefusal' : 'Error'}`;
        assert.deepEqual(schema, { $ref: expected }, `${name} ${status}`);
      }
      for (const status of ['401', '403', '500'])
        assert.ok(status in operation.responses, `${name} ${status}`);
    }
  });

  it('names schemas once: every reference leads somewhere, and nothing is left over', () => {
    const text = JSON.stringify(document);
    const referred = new Set(
      [...text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name ?? ''),
    );
    const frames = ['StartedFrame', 'TokenFrame', 'MetricsFrame', 'EndFrame'];
    for (const name of referred) assert.ok(name in document.components.schemas, name);
    for (const name of Object.keys(document.components.schemas)) {
      assert.ok(referred.has(name) || frames.includes(name), name);
    }
    for (const name of [
      'TaskRequest',
      'TaskAccepted',
      'TaskStatus',
      'Error',
      'PoolHealth',
      'PreloadRequest',
      ...frames,
    ]) {
      assert.ok(name in document.components.schemas, name);
    }
  });

  it('describes the stream under its own type, with its end', () => {
    const { responses } = document.paths['/v2/tasks/{id}/events']?.['get'] ?? { responses: {} };
    assert.ok(responses['200']?.content?.['text/event-stream']);
    assert.ok('204' in responses && '404' in responses && '414' in responses);
  });
});
