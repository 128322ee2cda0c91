/**
 * The adapter of servers in OpenAI's words against one that llama.cpp's makers did not write: llama-cpp-python's has no
 * `/health`, tells no usage in a stream, and knows fewer fields. `DROVER_TEST_LLAMA_CPP_PYTHON` names its Python.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import {
  adapterFor,
  isHealthy,
  type EngineEvent,
  type TextAdapter,
  type TextRequest,
} from '../../activities/engine/adapters/engine-adapter.js';
import { gather, textOf } from '../engine-routes.js';
import { freePort } from '../free-port.js';

const SEA =
  'Waves arrive in long grey lines and break softly on the shore. Between two tides the sand lies bare, and small ' +
  'crabs hurry home. Far out, a boat leans into the wind, and its lamp stays lit until morning.';
/** Python and its packages take seconds to start on a busy machine. */
const START_MS = 90_000;

const python = process.env.DROVER_TEST_LLAMA_CPP_PYTHON ?? '';
const model = process.env.DROVER_TEST_MODEL ?? '';

const signal = () => AbortSignal.timeout(60_000);
const ask = (over: Partial<TextRequest> = {}): TextRequest => ({
  ...{ input: { kind: 'text', text: 'Tell me about the sea' }, said: '', maxTokens: 400, temperature: 0 },
  ...over,
});

type Ending = Extract<EngineEvent, { kind: 'end' }>;

describe("llama-cpp-python's server", () => {
  let adapter: TextAdapter;
  let end: () => Promise<void>;

  const hear = async (request: TextRequest): Promise<{ text: string; ending: Ending }> => {
    const events = await gather(adapter.complete(request, signal()));
    const ending = events.at(-1);
    assert.ok(ending?.kind === 'end');
    return { text: textOf(events), ending };
  };

  before(async () => {
    const port = String(await freePort());
    const size = ['--n_ctx', '2048', '--n_threads', '1', '--model_alias', 'demo'];
    const args = ['-m', 'llama_cpp.server', '--model', model, '--host', '127.0.0.1', '--port', port, ...size];
    const child = spawn(python, args, { stdio: 'ignore' });
    const exited = once(child, 'exit');
    adapter = adapterFor('openai', `http://127.0.0.1:${port}`) as TextAdapter;
    end = async () => {
      await adapter.close();
      child.kill('SIGKILL');
      await exited;
    };
    const deadline = Date.now() + START_MS;
    while (!(await isHealthy(adapter, AbortSignal.timeout(2_000)).catch(() => false))) {
      assert.ok(child.exitCode === null && Date.now() < deadline, 'the server did not come up');
      await pause(100);
    }
  });
  after(() => end());

  test('generates the one token of a probe', async () => {
    await adapter.probe(signal());
  });

  test('says a text word for word, and goes on with it from any word', async () => {
    const { text, ending } = await hear(ask());
    assert.equal(text.trim(), SEA);
    assert.equal(ending.stopReason, 'EOS');
    const said = text.slice(0, text.indexOf(' Between'));
    const rest = await hear(ask({ said }));
    assert.equal(said + rest.text, text);
  });

  test('answers chat turns', async () => {
    const messages = [{ role: 'user', content: 'Tell me about the sea.' }];
    const { text, ending } = await hear(ask({ input: { kind: 'chat', messages } }));
    assert.equal(text.trim(), SEA);
    assert.equal(ending.stopReason, 'EOS');
  });

  test('ends at the limit of tokens, and at a stop sequence, which nobody sees', async () => {
    const short = await hear(ask({ maxTokens: 5 }));
    assert.equal(short.ending.stopReason, 'MAX_TOKENS');
    assert.ok(short.text !== '' && SEA.startsWith(short.text.trim()));
    const { text } = await hear(ask({ stop: [' softly'] }));
    assert.equal(text.trim(), 'Waves arrive in long grey lines and break');
  });

  test('streams UTF-8 whole, and fails at token ids, which it does not take', async () => {
    const { text } = await hear(ask({ input: { kind: 'text', text: 'Tell me about the tea' } }));
    assert.match(text, /patient… ☕ After four quiet minutes comes a naïve/);
    await assert.rejects(hear(ask({ input: { kind: 'ids', ids: [1] }, maxTokens: 3 })), { code: 'INTERNAL' });
  });

  test('a client that leaves leaves it free for the next', async () => {
    const leaving = new AbortController();
    const endless = ask({ input: { kind: 'text', text: 'Tell me about the endless' }, maxTokens: 1_800 });
    await assert.rejects(async () => {
      for await (const batch of adapter.complete(endless, leaving.signal))
        if (batch.length > 0) leaving.abort(new Error('left'));
    });
    assert.equal((await hear(ask({ maxTokens: 5 }))).ending.stopReason, 'MAX_TOKENS');
  });
});
