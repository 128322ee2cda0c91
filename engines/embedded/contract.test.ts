/**
 * What the orchestrator relies on in an engine of kind `llamacpp`, checked on the embedded engine and, when
 * `DROVER_TEST_XLLAMACPP` names its program, on llama.cpp's own server (`node setup/install-xllamacpp.mjs` prints it).
 * Where llama-server behaves differently, the test says so.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  EngineUnderTest,
  prepareModel,
  type Chunk,
  type Program,
} from '../../testing/xllamacpp/engine-under-test.js';

const SEA =
  'Waves arrive in long grey lines and break softly on the shore. Between two tides the sand lies bare, and small ' +
  'crabs hurry home. Far out, a boat leans into the wind, and its lamp stays lit until morning.';
const TEA =
  'Pour hot water over the leaves and be patient… ☕ After four quiet minutes comes a naïve little joy, the people ' +
  'in the café say: it warms both hands, costs next to nothing, and leaves time to look out of the window.';

const llamaServer = process.env.DROVER_TEST_XLLAMACPP;
const PROGRAMS: readonly Program[] = ['embedded', ...(llamaServer === undefined ? [] : [{ llamaServer }])];

for (const program of PROGRAMS) {
  const own = program === 'embedded';
  describe(own ? 'the embedded engine' : 'llama-server', () => {
    let engine: EngineUnderTest;
    let remove: () => Promise<void>;

    before(async () => {
      const prepared = await prepareModel();
      remove = prepared.remove;
      const size = ['--ctx-size', '8192', '--parallel', '4', '--threads', '1'];
      // llama-server wants to be told how to pool where the model does not say; the embedded engine does as the model says.
      const embeddings = ['--embeddings', ...(own ? [] : ['--pooling', 'last'])];
      const args = ['--model', prepared.model, ...size, '--alias', 'demo', '--metrics', ...embeddings];
      engine = await EngineUnderTest.spawn(program, args);
      const statuses = await engine.untilHealthy();
      // llama-server loads this small model before anybody can ask.
      if (own)
        assert.deepEqual(
          statuses.filter((status) => status !== 0),
          [503, 200],
        );
    });

    after(async () => {
      await engine.end();
      await remove();
    });

    test('a greedy completion is the model’s text, word for word, from a plain prompt', async () => {
      const { status, body } = await engine.post('/completion', {
        prompt: 'Tell me about the sea',
        temperature: 0,
      });
      assert.equal(status, 200);
      assert.equal(body.content, SEA);
      assert.equal(body.stop_type, 'eos');
      assert.equal(body.tokens_evaluated, 6);
      assert.deepEqual(body.tokens, []);
    });

    test('a streamed completion has the same text, and its last chunk says how it ended', async () => {
      const chunks = await engine.stream('/completion', { prompt: 'Tell me about the sea', temperature: 0 });
      assert.equal(textOf(chunks), SEA);
      assert.ok(chunks.slice(0, -1).every((chunk) => !chunk.stop));
      const last = chunks.at(-1);
      assert.equal(last?.stop, true);
      assert.equal(last.stop_type, 'eos');
      assert.deepEqual(last.tokens, []);
      assert.equal(last.tokens_predicted, idsOf(chunks).length);
      assert.equal(typeof last.timings?.predicted_per_second, 'number');
    });

    test('a chat has the same text, and its usage counts the end token', async () => {
      const body = { messages: [{ role: 'user', content: 'And the sea?' }], temperature: 0 };
      const { body: answer } = await engine.post<ChatAnswer>('/v1/chat/completions', body);
      assert.equal(answer.choices[0]?.message.content, SEA);
      assert.equal(answer.choices[0].finish_reason, 'stop');
      assert.equal(answer.usage.completion_tokens, 40);
      const parts = await engine.stream<ChatPart>('/v1/chat/completions', {
        ...body,
        max_tokens: 3,
        stream_options: { include_usage: true },
      });
      assert.equal(parts.map((part) => part.choices[0]?.delta.content ?? '').join(''), 'Waves arrive in');
      assert.equal(parts.at(-2)?.choices[0]?.finish_reason, 'length');
      assert.deepEqual(parts.at(-1)?.choices, []);
      assert.equal(parts.at(-1)?.usage?.completion_tokens, 3);
    });

    test('a stream cut anywhere goes on, byte for byte, from the prompt’s ids and the ids received', async () => {
      const prompt = await tokenize(engine, 'Tell me about tea');
      const whole = await engine.stream('/completion', { prompt, temperature: 0 });
      assert.equal(textOf(whole), TEA);
      const pieces = whole.slice(0, -1);
      for (let cut = 0; cut < pieces.length - 1; cut++) {
        const received = pieces.slice(0, cut);
        // llama-server reports only the last id of a character that is spread over several.
        if (!own && idsOf(received).length !== (received.at(-1)?.tokens_predicted ?? 0)) continue;
        const rest = await engine.stream('/completion', {
          prompt: [...prompt, ...idsOf(received)],
          temperature: 0,
        });
        assert.equal(textOf(received) + textOf(rest), TEA);
      }
    });

    test('a stop word ends the text before it, in a stream too, and is named', async () => {
      const body = { prompt: 'Tell me about the sea', temperature: 0, stop: ['the shore', 'xyz'] };
      const chunks = await engine.stream('/completion', body);
      assert.equal(textOf(chunks), 'Waves arrive in long grey lines and break softly on ');
      assert.equal(chunks.at(-1)?.stop_type, 'word');
      assert.equal(chunks.at(-1)?.stopping_word, 'the shore');
      const { body: answer } = await engine.post('/completion', { ...body, return_tokens: true });
      assert.equal(answer.content, textOf(chunks));
      assert.deepEqual(answer.tokens, idsOf(chunks));
    });

    test('vectors have length 1, one an input, the same for the same text, alone or not, and for its ids', async () => {
      const texts = ['Tell me about the sea', 'Tell me about tea', 'What about the sea'];
      const { status, body } = await engine.post<Vectors>('/v1/embeddings', { input: texts });
      assert.equal(status, 200);
      const [sea = [], tea = [], again = []] = vectorsOf(body);
      for (const vector of [sea, tea, again]) assert.ok(Math.abs(similarity(vector, vector) - 1) < 1e-5);
      assert.ok(similarity(sea, again) > similarity(sea, tea) + 0.05);
      const ids = await Promise.all(texts.map((text) => tokenize(engine, text)));
      assert.equal(body.usage.prompt_tokens, ids.flat().length);
      for (const input of [texts[1], [texts[1]], ids[1], [ids[1]]]) {
        const { body: alone } = await engine.post<Vectors>('/v1/embeddings', { input });
        assert.deepEqual(vectorsOf(alone), [tea]);
      }
      const { body: encoded } = await engine.post<{ data: { embedding: string }[] }>('/v1/embeddings', {
        ...{ input: texts[1], encoding_format: 'base64' },
      });
      const bytes = Buffer.from(encoded.data[0]?.embedding ?? '', 'base64');
      assert.deepEqual(
        Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(index * 4)),
        tea.map(Math.fround),
      );
    });

    test('an input for a vector that is too long, or has ids that are none, is refused as such', async () => {
      const long = await engine.post<Refusal>('/v1/embeddings', { input: ['a', 'sea '.repeat(2_100)] });
      assert.deepEqual([long.status, long.body.error.type], [400, 'exceed_context_size_error']);
      const none = await engine.post<Refusal>('/v1/embeddings', { input: [[1, 999_999]] });
      assert.deepEqual([none.status, none.body.error.message], [400, 'Prompt contains invalid tokens']);
      const ranked = await engine.post<Refusal>('/v1/rerank', { query: 'a', documents: ['b'] });
      assert.deepEqual([ranked.status, ranked.body.error.type], [501, 'not_supported_error']);
    });

    test('vectors and texts at once do not mix, and vectors take a slot', async () => {
      const before = await engine.post<Vectors>('/v1/embeddings', { input: 'tea' });
      const [text, ...vectors] = await Promise.all([
        engine.stream('/completion', { prompt: 'Tell me about the sea', temperature: 0 }),
        ...Array.from({ length: 8 }, () => engine.post<Vectors>('/v1/embeddings', { input: 'tea' })),
      ]);
      assert.equal(textOf(text), SEA);
      for (const { body } of vectors) assert.deepEqual(vectorsOf(body), vectorsOf(before.body));
      const leave = new AbortController();
      const many = engine.post('/v1/embeddings', { input: Array(2_000).fill('sea') }, leave.signal);
      await engine.untilBusy(own ? 1 : 4); // llama-server spreads the inputs of one request over all slots.
      leave.abort();
      await assert.rejects(many);
      await engine.untilBusy(0);
    });

    test('four streams at once do not mix', async () => {
      const topics = ['sea', 'tea', 'bread', 'stars'];
      const texts = await Promise.all(
        topics.map(async (topic) =>
          textOf(await engine.stream('/completion', { prompt: topic, temperature: 0 })),
        ),
      );
      assert.deepEqual(
        texts.map((text) => text.split(' ')[0]),
        ['Waves', 'Pour', 'Flour,', 'Lanterns'],
      );
      assert.equal(texts[0], SEA);
      assert.equal(texts[1], TEA);
    });

    test('a request beyond the slots waits its turn and is answered', async () => {
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => engine.post('/completion', { prompt: 'ping', temperature: 0 })),
      );
      assert.ok(answers.every(({ body }) => body.content === 'Pong.'));
    });

    test('a client that leaves a stream frees its slot', async () => {
      const controller = new AbortController();
      const events = engine.events('/completion', { prompt: 'endless', temperature: 0 }, controller.signal);
      await events.next();
      await engine.untilBusy(1);
      controller.abort();
      assert.ok((await engine.untilBusy(0)) < 1000);
    });

    // llama-server computes an answer to its end though nobody waits for it.
    if (own) {
      test('a client that leaves before a whole answer frees its slot', async () => {
        const controller = new AbortController();
        const answer = engine.post('/completion', { prompt: 'endless', temperature: 0 }, controller.signal);
        await engine.untilBusy(1);
        controller.abort();
        await assert.rejects(answer);
        assert.ok((await engine.untilBusy(0)) < 1000);
      });
    }

    test('a full context ends the text with the limit, and the text was never shifted', async () => {
      const prompt = await tokenize(engine, 'endless');
      const { body } = await engine.post('/completion', { prompt, temperature: 0 });
      assert.equal(body.stop_type, 'limit');
      assert.equal(body.truncated, true);
      assert.ok(body.tokens_predicted >= 2048 - prompt.length - 1);
      assert.ok(body.content.startsWith('Walking on, the path follows'));
    });

    test('errors are told with their status and type', async () => {
      const tooLong = Array.from({ length: 3000 }, () => 300);
      const rows = [
        { path: '/completion', body: { prompt: tooLong }, status: 400, type: 'exceed_context_size_error' },
        { path: '/completion', body: '{"prompt":', status: 400, type: 'invalid_request_error' },
        { path: '/completion', body: {}, status: 400, type: 'invalid_request_error' },
        { path: '/completion', body: { prompt: [1, 999_999] }, status: 400, type: 'invalid_request_error' },
        {
          path: '/completion',
          body: { prompt: 'a', temperature: 'x' },
          status: 400,
          type: 'invalid_request_error',
        },
        { path: '/v1/chat/completions', body: {}, status: 400, type: 'invalid_request_error' },
        { path: '/nowhere', body: {}, status: 404, type: 'not_found_error' },
      ];
      for (const { path, body, status, type } of rows) {
        const reply = await engine.post<{ error: { code: number; type: string; message: string } }>(
          path,
          body,
        );
        assert.deepEqual(
          [reply.status, reply.body.error.code, reply.body.error.type],
          [status, status, type],
        );
        assert.notEqual(reply.body.error.message, '');
      }
    });

    test('tokens and text turn into one another, and the template is applied', async () => {
      const tokens = await tokenize(engine, 'Tell me about ☕ and naïve sea');
      const { body } = await engine.post<{ content: string }>('/detokenize', { tokens });
      assert.equal(body.content, '<s> Tell me about ☕ and naïve sea');
      const messages = [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'ping' },
      ];
      const { body: applied } = await engine.post<{ prompt: string }>('/apply-template', { messages });
      assert.equal(applied.prompt, '<|system|>Be brief.<|end|><|user|>ping<|end|><|assistant|>');
    });

    test('it says what it is', async () => {
      const { body: props } = await engine.get<Record<string, unknown>>('/props');
      assert.equal(props.total_slots, 4);
      assert.equal(props.model_alias, 'demo');
      const { supports_tools, supports_tool_calls } = props.chat_template_caps as Record<string, boolean>;
      assert.deepEqual([supports_tools, supports_tool_calls], [false, false]);
      const { body: models } = await engine.get<{ data: { id: string }[] }>('/v1/models');
      assert.equal(models.data[0]?.id, 'demo');
      const { body: slots } = await engine.get<{ n_ctx: number }[]>('/slots');
      assert.deepEqual(
        slots.map((slot) => slot.n_ctx),
        [2048, 2048, 2048, 2048],
      );
      const metrics = await (await fetch(`${engine.url}/metrics`)).text();
      for (const name of [
        'prompt_tokens_total',
        'tokens_predicted_total',
        'requests_processing',
        'requests_deferred',
      ]) {
        assert.match(metrics, new RegExp(`^llamacpp:${name} \\d`, 'm'));
      }
    });
  });
}

test('the embedded engine computes no vectors unless it was started to', async () => {
  const prepared = await prepareModel();
  const engine = await EngineUnderTest.start('embedded', ['--model', prepared.model, '--threads', '1']);
  try {
    const { status, body } = await engine.post<Refusal>('/v1/embeddings', { input: 'sea' });
    assert.deepEqual([status, body.error.type], [501, 'not_supported_error']);
  } finally {
    await engine.end();
    await prepared.remove();
  }
});

interface Vectors {
  readonly data: { readonly index: number; readonly embedding: number[] }[];
  readonly usage: { readonly prompt_tokens: number };
}

interface Refusal {
  readonly error: { readonly type: string; readonly message: string };
}

interface ChatAnswer {
  readonly choices: { readonly finish_reason: string; readonly message: { readonly content: string } }[];
  readonly usage: { readonly completion_tokens: number };
}

interface ChatPart {
  readonly choices: {
    readonly finish_reason: string | null;
    readonly delta: { readonly content?: string | null };
  }[];
  readonly usage?: { readonly completion_tokens: number };
}

function textOf(chunks: readonly Chunk[]): string {
  return chunks.map((chunk) => chunk.content).join('');
}

function idsOf(chunks: readonly Chunk[]): number[] {
  return chunks.flatMap((chunk) => chunk.tokens);
}

async function tokenize(engine: EngineUnderTest, content: string): Promise<number[]> {
  const { body } = await engine.post<{ tokens: number[] }>('/tokenize', { content, add_special: true });
  return body.tokens;
}

/** In the order of the inputs. */
function vectorsOf({ data }: Vectors): number[][] {
  return [...data].sort((a, b) => a.index - b.index).map(({ embedding }) => embedding);
}

function similarity(one: readonly number[], other: readonly number[]): number {
  return one.reduce((sum, value, index) => sum + value * (other[index] ?? 0), 0);
}
