/** Any request, and what an answer must hold. */
import { Then, When, type DataTable } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { errorEnvelope, offendingFields } from '../../contracts/errors.js';
import { isUuidV4, tellsOfTheInside } from '../support/answer-checks.js';
import { credentials, valueAt, valueOf } from '../support/values.js';
import type { DroverWorld } from '../support/world.js';

// Requests

When('{string} is requested', async function (this: DroverWorld, request: string) {
  await this.http.ask(request);
});

When(
  /^"([^"]+)" is requested (with(?:out)? (?:the|a|a wrong) (?:key|bearer))$/,
  async function (this: DroverWorld, request: string, how: string) {
    await this.http.ask(request, credentials(how, this.stack.key));
  },
);

When(
  /^"([^"]+)" is requested (with(?:out)? (?:the|a|a wrong) (?:key|bearer)) and the correlation id "([^"]+)"$/,
  async function (this: DroverWorld, request: string, how: string, id: string) {
    await this.http.ask(request, credentials(how, this.stack.key, { 'x-correlation-id': id }));
  },
);

When(
  '{string} is requested with the key {string} and the correlation id {string}',
  async function (this: DroverWorld, request: string, key: string, id: string) {
    await this.http.ask(request, { key, headers: { 'x-correlation-id': id } });
  },
);

When(
  '{string} is requested with the correlation id {string}',
  async function (this: DroverWorld, request: string, id: string) {
    await this.http.ask(request, { headers: { 'x-correlation-id': id } });
  },
);

When(
  '{string} is requested with a correlation id of {}',
  async function (this: DroverWorld, request: string, id: string) {
    const sent = id === 'two tabs' ? 'forged\t\tline' : String(valueOf(id));
    await this.http.ask(request, { headers: { 'x-correlation-id': sent } });
  },
);

When(
  '{string} is requested with the authorization {string}',
  async function (this: DroverWorld, request: string, header: string) {
    await this.http.ask(request, { key: null, headers: { authorization: this.fill(header) } });
  },
);

When(
  '{string} is requested with Last-Event-ID {string}',
  async function (this: DroverWorld, request: string, id: string) {
    await this.http.ask(this.fill(request), { headers: { 'last-event-id': id } });
  },
);

When(/^the body (.*) is posted as a task$/, async function (this: DroverWorld, body: string) {
  await this.http.send('POST', '/v2/tasks', { body, headers: { 'content-type': 'application/json' } });
});

// Verdicts

Then('the answer is {int}', function (this: DroverWorld, status: number) {
  assert.equal(this.http.lookAt().status, status);
});

Then('{string} comes to answer {int}', async function (this: DroverWorld, request: string, status: number) {
  await this.http.askUntil(request, (answer) => answer.status === status, { key: null });
  assert.equal(this.http.lookAt().status, status);
});

Then('it is accepted', function (this: DroverWorld) {
  assert.equal(this.http.lookAt().status, 202, this.http.lookAt().text);
});

Then('it is accepted with:', function (this: DroverWorld, table: DataTable) {
  const { status, json } = this.http.lookAt();
  assert.deepEqual([status, pick(json, table)], [202, this.expected(table)]);
});

Then(
  /^it is refused with (\d+) "([A-Z_]+)", (not retriable|retriable), and (?:a message|the message "(.*)")$/,
  function (this: DroverWorld, status: string, code: string, retriable: string, message: string | null) {
    const answer = this.http.lookAt();
    const told = errorEnvelope.safeParse(answer.json);
    assert.ok(told.success, `${answer.status} ${answer.text}`);
    const expected = [Number(status), code, retriable === 'retriable'];
    assert.deepEqual([answer.status, told.data.code, told.data.retriable], expected, answer.text);
    assert.ok(
      told.data.message.includes(message?.replaceAll('\\"', '"') ?? '') && told.data.message !== '',
      answer.text,
    );
  },
);

Then('the refusal names the fields {string}', function (this: DroverWorld, fields: string) {
  const told = offendingFields(errorEnvelope.parse(this.http.lookAt().json));
  assert.deepEqual(told.map(({ field }) => field).sort(), fields.split(', ').sort());
});

Then('the refusal does not repeat {}', function (this: DroverWorld, value: string) {
  const sent = JSON.stringify(valueOf(value)).slice(1, -1);
  assert.ok(!this.http.lookAt().text.includes(sent), this.http.lookAt().text);
});

Then('the answer tells nothing of the inside', function (this: DroverWorld) {
  assert.deepEqual(tellsOfTheInside(this.http.lookAt().text), []);
});

Then('the answer is JSON', function (this: DroverWorld) {
  assert.match(this.http.lookAt().headers.get('content-type') ?? '', /^application\/json/);
});

// What it holds

Then('the answer holds:', function (this: DroverWorld, table: DataTable) {
  assert.deepEqual(pick(this.http.lookAt().json, table), this.expected(table));
});

Then('the answer has the headers:', function (this: DroverWorld, table: DataTable) {
  const { headers } = this.http.lookAt();
  const told = Object.keys(table.rowsHash()).map((name) => [name, headers.get(name)]);
  assert.deepEqual(Object.fromEntries(told), table.rowsHash());
});

Then('header and body say alike when to come again, in a second or later', function (this: DroverWorld) {
  const { headers, json } = this.http.lookAt();
  const afterMs = Number(valueAt(json, 'retry_after_ms'));
  assert.ok(afterMs >= 1000, String(afterMs));
  const told = [headers.get('x-backoff-ms'), headers.get('retry-after')];
  assert.deepEqual(told, [String(afterMs), String(Math.floor(afterMs / 1000))]);
});

const pick = (json: unknown, table: DataTable) =>
  Object.fromEntries(Object.keys(table.rowsHash()).map((path) => [path, valueAt(json, path)]));

// Correlation ids

Then(
  'the answer is {int} with the correlation id {string}',
  function (this: DroverWorld, status: number, id: string) {
    const answer = this.http.lookAt();
    assert.deepEqual([answer.status, answer.headers.get('x-correlation-id')], [status, id]);
  },
);

Then('the answer is {int} with a UUIDv4 as correlation id', function (this: DroverWorld, status: number) {
  const answer = this.http.lookAt();
  assert.deepEqual([answer.status, isUuidV4(answer.headers.get('x-correlation-id'))], [status, true]);
});

When(
  '{string} is requested {int} times without a correlation id',
  async function (this: DroverWorld, request: string, times: number) {
    await this.http.askTogether(
      request,
      Array.from({ length: times }, () => ({})),
    );
  },
);

Then('each answer has a UUIDv4 of its own as correlation id', function (this: DroverWorld) {
  const ids = this.http.answers.map(({ headers }) => headers.get('x-correlation-id'));
  assert.deepEqual(
    ids.map(isUuidV4),
    ids.map(() => true),
  );
  assert.equal(new Set(ids).size, ids.length);
});

When(
  '{int} requests are sent at the same moment, each with an id of its own',
  async function (this: DroverWorld, count: number) {
    const asks = Array.from({ length: count }, (_, index) => ({
      headers: { 'x-correlation-id': `own-${index}` },
    }));
    await this.http.askTogether('GET /v2/pools', asks);
  },
);

Then('each answer has the id of its own request', function (this: DroverWorld) {
  const ids = this.http.answers.map(({ headers }) => headers.get('x-correlation-id'));
  assert.deepEqual(
    ids,
    ids.map((_, index) => `own-${index}`),
  );
});

When(
  '{int} requests with the key and {int} with wrong keys are sent at the same moment',
  async function (this: DroverWorld, right: number, wrong: number) {
    const asks = Array.from({ length: right + wrong }, (_, index) =>
      index < right ? {} : { key: `wrong-key-${index}` },
    );
    await this.http.askTogether('GET /v2/pools', asks);
  },
);

Then(
  'the {int} with the key are answered with {int}, the others with {int}',
  function (this: DroverWorld, right: number, yes: number, no: number) {
    const statuses = this.http.answers.map((answer) => this.http.lookAt(answer).status);
    assert.deepEqual(
      statuses,
      statuses.map((_, index) => (index < right ? yes : no)),
    );
  },
);
