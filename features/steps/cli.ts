/** What is done at a terminal. */
import { Given, Then, When, type DataTable } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { valueAt, valueOf } from '../support/values.js';
import type { DroverWorld } from '../support/world.js';

When('`drover {}` is run', async function (this: DroverWorld, line: string) {
  this.cli.start(line);
  await this.cli.last.exitCode();
});

When(
  '`drover {}` is run with the key {string}',
  async function (this: DroverWorld, line: string, key: string) {
    this.cli.start(line, { key });
    await this.cli.last.exitCode();
  },
);

When('{string} is piped into `drover {}`', async function (this: DroverWorld, stdin: string, line: string) {
  this.cli.start(line, { stdin });
  await this.cli.last.exitCode();
});

When(
  '`drover {}` is started, and has printed {int} characters',
  async function (this: DroverWorld, line: string, characters: number) {
    this.cli.start(line);
    await this.cli.last.saidMuch(characters);
  },
);

When('Ctrl-C is pressed', function (this: DroverWorld) {
  this.cli.last.signal('SIGINT');
});

Given("the pool's launch description is in the file <launch>", async function (this: DroverWorld) {
  await this.cli.file('launch', await this.stack.prepareEngine());
});

When('the API is killed and started again at its address', async function (this: DroverWorld) {
  const { program, client } = this.stack.mustApi();
  await program.kill('SIGKILL');
  await this.stack.startApi({ DROVER_API_PORT: new URL(client.url).port });
});

When('the engine is held', async function (this: DroverWorld) {
  this.cli.afterwards(await this.breakStack().holdEngine());
});

Then('it ends with {int}', async function (this: DroverWorld, exitCode: number) {
  await this.cli.endsWith(exitCode);
});

Then(
  'the processes of the stack and its engine are those that ran before',
  async function (this: DroverWorld) {
    const { firstEnginePid, pool, crashed } = this.stack;
    assert.deepEqual([await pool.pid(), await pool.lives()], [firstEnginePid, true]);
    assert.deepEqual(
      crashed.map(({ name }) => name),
      [],
    );
  },
);

Then('it has said nothing but data', function (this: DroverWorld) {
  assert.equal(this.cli.last.stderr, '');
});

Then(
  'it has printed what the API answers in a chat to:',
  async function (this: DroverWorld, table: DataTable) {
    const { prompt, ...settings } = Object.fromEntries(
      Object.entries(table.rowsHash()).map(([name, text]) => [name, valueOf(text)]),
    );
    const body = { model: 'demo', messages: [{ role: 'user', content: prompt }], ...settings };
    const { json } = await this.http.send('POST', '/v1/chat/completions', { body });
    assert.equal(this.cli.last.stdout, valueAt(json, 'choices.0.message.content'));
  },
);

Then('its text is that of the stream of the task that it names', async function (this: DroverWorld) {
  const { task_id, text, tokens_out } = this.cli.data;
  this.tasks.name('named', String(task_id));
  const reader = await this.readers.readToEnd('named');
  const { data } = await reader.waitForFrame('end');
  assert.equal(text, reader.tokens.map(({ t }) => t).join(''));
  assert.deepEqual([tokens_out, text !== ''], [data['tokens_out'], true]);
});

Then('it has printed the text of {string}', async function (this: DroverWorld, name: string) {
  const reader = await this.readers.readToEnd(name);
  assert.equal(this.cli.last.stdout, reader.tokens.map(({ t }) => t).join(''));
});

Then('its data hold:', function (this: DroverWorld, table: DataTable) {
  for (const [path, expected] of Object.entries(this.expected(table)))
    assert.deepEqual(valueAt(this.cli.data, path), expected, path);
});

Then('its error is {string}', function (this: DroverWorld, code: string) {
  const { stderr } = this.cli.last;
  assert.match(stderr, new RegExp(`^error ${code}: .+`, 'm'));
});

Then('it names a next step, and a correlation id', function (this: DroverWorld) {
  assert.match(this.cli.last.stderr, /^ {2}correlation id: \S+$[^]*^ {2}next: .+$/m);
});

Then(/^it has told the steps of a (preload|drain)$/, function (this: DroverWorld, kind: string) {
  const words =
    kind === 'preload'
      ? /starting .*\n[^]*polling .*\n[^]*giving the pool work/
      : /taking no new work\n[^]*stopping/;
  assert.match(this.cli.last.stderr, words);
});

Then('it has printed {string}', function (this: DroverWorld, text: string) {
  assert.ok(this.cli.last.stdout.includes(text), this.cli.last.stdout);
});

Then('it has printed lines like:', function (this: DroverWorld, table: DataTable) {
  const lines = this.cli.last.stdout.split('\n');
  for (const [pattern = ''] of table.raw())
    assert.ok(
      lines.some((line) => new RegExp(pattern).test(line)),
      `${pattern} in\n${lines.join('\n')}`,
    );
});

Then(
  'its data are kept: {string} as <{word}>, {string} as <{word}>',
  function (this: DroverWorld, one: string, oneName: string, other: string, otherName: string) {
    this.cli.keep(oneName, valueAt(this.cli.data, one));
    this.cli.keep(otherName, valueAt(this.cli.data, other));
  },
);
