/** The model says what the corpus says, word for word, however it is asked: in a real engine. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { EngineUnderTest, prepareModel } from '../../testing/xllamacpp/engine-under-test.js';
import { DEFAULT_TOPIC, TOPICS } from './corpus.js';

interface ChatAnswer {
  readonly choices: { readonly message: { readonly content: string } }[];
}

describe('the demo model in the embedded engine', () => {
  let engine: EngineUnderTest;
  let remove: () => Promise<void>;

  before(async () => {
    const prepared = await prepareModel();
    remove = prepared.remove;
    engine = await EngineUnderTest.start('embedded', ['--model', prepared.model, '--threads', '1']);
  });
  after(async () => {
    await engine.end();
    await remove();
  });

  for (const { name, keywords, paragraphs } of TOPICS.filter((topic) => topic.endless !== true)) {
    test(`recites its text about ${name} after a plain prompt, a question, other words, and in a chat`, async () => {
      for (const keyword of keywords) {
        const [text] = paragraphs;
        assert.equal(await complete(`Tell me about the ${keyword}`), text);
        assert.equal(await complete(`What is ${keyword}?`), text);
        assert.equal(await complete(`About ${keyword} in the morning, with a quokka, please!`), text);
        assert.equal(await chat(`And ${keyword}?`), text);
      }
    });
  }

  test('begins its endless text again and again, and never ends it', async () => {
    const paragraphs = TOPICS.find((topic) => topic.endless === true)?.paragraphs ?? [];
    const round = `${paragraphs.join('\n')}\n`;
    const { body } = await engine.post('/completion', { prompt: 'endless', temperature: 0, n_predict: 3000 });
    assert.equal(body.stop_type, 'limit');
    assert.ok(body.content.length > 3 * round.length);
    assert.ok(round.repeat(100).startsWith(body.content));
  });

  test('never ends its endless text when it is sampled, nor strays into it from another', async () => {
    for (let seed = 1; seed <= 5; seed++) {
      const { body: endless } = await engine.post('/completion', { prompt: 'endless', seed, n_predict: 400 });
      assert.equal(endless.stop_type, 'limit');
      const { body: ending } = await engine.post('/completion', { prompt: 'sea', seed });
      assert.equal(ending.stop_type, 'eos');
    }
  });

  test('says what it knows when it is asked about anything else', async () => {
    const [text] = DEFAULT_TOPIC.paragraphs;
    assert.equal(await complete('Hello there'), text);
    assert.equal(await chat('What is the meaning of life?'), text);
    assert.equal(await chat('I want to start a search for my seat'), text);
  });

  test('answers the latest of several keywords, near or far', async () => {
    const sea = TOPICS[0]?.paragraphs[0];
    assert.equal(await complete('tea bread sea'), sea);
    assert.equal(await complete(`bread and sea ${'and so on '.repeat(300)}`), sea);
  });

  test('keeps to the topic of a conversation until another is named', async () => {
    const [sea, mountains] = TOPICS.map(({ paragraphs }) => paragraphs[0] ?? '');
    const turns = ['Tell me about the sea', sea ?? '', 'Tell me more'];
    assert.equal(await chat(...turns), sea);
    assert.equal(await chat(...turns, sea ?? '', 'What about mountains?'), mountains);
  });

  test('goes on from a part of its answer that is given back as text', async () => {
    const sea = TOPICS[0]?.paragraphs[0] ?? '';
    assert.equal(
      await chat('Tell me about the sea', sea.slice(0, sea.indexOf(' softly'))),
      sea.slice(sea.indexOf(' softly')),
    );
  });

  async function complete(prompt: string): Promise<string> {
    return (await engine.post('/completion', { prompt, temperature: 0 })).body.content;
  }

  /** Turns alternate between user and assistant. */
  async function chat(...turns: string[]): Promise<string> {
    const messages = turns.map((content, index) => ({
      role: index % 2 === 0 ? 'user' : 'assistant',
      content,
    }));
    const { body } = await engine.post<ChatAnswer>('/v1/chat/completions', { messages, temperature: 0 });
    return body.choices[0]?.message.content ?? '';
  }
});
