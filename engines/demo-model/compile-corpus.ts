/**
 * Turns the corpus into what the weights are made from: states, trigrams and their targets.
 *
 * A **state** says what the attention of the topic head has found last: nothing (0), a keyword of a topic that has not
 * been answered yet, or the opening word of a paragraph, which means that this paragraph is being said. Opening words
 * have no space before them, so a question hardly ever contains one; that is how the model knows where its answer
 * starts, with a chat template and without.
 */
import { DEFAULT_TOPIC, TOPICS, type Topic } from './corpus.js';
import { bytePiece, CONTROL_TOKENS, headsOf, SPACE, Vocabulary, wordsOf } from './vocabulary.js';

/** One thing to learn: after these two tokens, in this state, comes that token. */
export interface Example {
  readonly state: number;
  readonly previous: number;
  readonly current: number;
  readonly next: number;
}

/** The corpus in numbers; all token fields are vocabulary ids. */
export interface CompiledCorpus {
  readonly vocabulary: Vocabulary;
  readonly stateCount: number;
  /** Tokens that change the state, and the state they lead to. */
  readonly stateOf: ReadonlyMap<number, number>;
  /** The tokens among them that open a paragraph. */
  readonly openers: ReadonlySet<number>;
  /** For a state "asked, not answered yet": the opening word of the answer. */
  readonly firstTokenOf: ReadonlyMap<number, number>;
  /** States in which the text must never end. */
  readonly endlessStates: ReadonlySet<number>;
  /** For an opening word: its twin with a space before it, as a re-read transcript spells it. */
  readonly twins: ReadonlyMap<number, number>;
  readonly examples: readonly Example[];
}

/**
 * Words people ask with. They get pieces, so that a question costs few tokens; they also keep "start", "teach" or
 * "search" from being read as "star", "tea" or "sea" with a tail.
 */
const QUESTION_WORDS =
  'Tell me about the What is a an Please please say something of and or to for with How do you does Hello hi What are ' +
  'it in I would like know write short story Describe describe explain Explain your my this that can could want hear ' +
  'start started starting search season seat team teach teacher tear counter country training trainer brain';

/** Compiles the corpus; throws when it breaks one of the rules in `corpus.ts`. */
export function compileCorpus(
  topics: readonly Topic[] = TOPICS,
  fallback: Topic = DEFAULT_TOPIC,
): CompiledCorpus {
  const all = [fallback, ...topics];
  const vocabulary = new Vocabulary(allWords(all));
  const draft = {
    vocabulary,
    stateCount: 1,
    stateOf: new Map<number, number>(),
    openers: new Set<number>(),
    firstTokenOf: new Map<number, number>(),
    endlessStates: new Set<number>(),
    twins: new Map<number, number>(),
    examples: [] as Example[],
  };
  for (const topic of all) addTopic(draft, topic);
  for (const topic of all) refuseKeywords(draft, topic);
  refuseAmbiguity(draft.examples, vocabulary);
  return draft;
}

/** What joins two paragraphs. */
const LINE_FEED = bytePiece(0x0a);

type Draft = { -readonly [K in keyof CompiledCorpus]: CompiledCorpus[K] } & {
  stateOf: Map<number, number>;
  openers: Set<number>;
  firstTokenOf: Map<number, number>;
  endlessStates: Set<number>;
  twins: Map<number, number>;
  examples: Example[];
};

function allWords(topics: readonly Topic[]): string[] {
  const words = topics.flatMap((topic) => [
    ...topic.paragraphs.flatMap((text) => [...wordsOf(text, true), ...headsOf(text)]),
    SPACE + openingWord(topic.paragraphs[0] ?? ''),
    ...keywordForms(topic).map((keyword) => SPACE + keyword),
  ]);
  return [...words, ...wordsOf(QUESTION_WORDS, false)];
}

function keywordForms(topic: Topic): string[] {
  return topic.keywords.flatMap((keyword) => [keyword, keyword.charAt(0).toUpperCase() + keyword.slice(1)]);
}

function openingWord(text: string): string {
  return wordsOf(text, true)[0] ?? '';
}

function addTopic(draft: Draft, topic: Topic): void {
  const asked = topic.keywords.length === 0 ? 0 : draft.stateCount++;
  for (const keyword of keywordForms(topic)) draft.stateOf.set(draft.vocabulary.id(SPACE + keyword), asked);
  const saying = topic.paragraphs.map(() => draft.stateCount++);
  topic.paragraphs.forEach((text, index) => {
    const opener = addParagraph(draft, topic, { text, index, saying });
    if (index === 0) draft.firstTokenOf.set(asked, opener);
  });
  if (topic.endless === true) saying.forEach((state) => draft.endlessStates.add(state));
}

function addParagraph(
  draft: Draft,
  topic: Topic,
  { text, index, saying }: { text: string; index: number; saying: number[] },
): number {
  const { vocabulary, examples } = draft;
  const state = saying[index] ?? 0;
  const tokens = vocabulary.encode(text, true);
  const opener = tokens[0] ?? 0;
  open(draft, topic, opener, state);
  if (index === 0) addTwin(draft, topic, opener, state);
  // Before an answer stands the question, which we do not know; before any other paragraph, a line feed.
  const before = vocabulary.id(index === 0 ? CONTROL_TOKENS.assistant : LINE_FEED);
  const sequence = [before, ...tokens, ...endOf(draft, topic, index)];
  for (let i = 2; i < sequence.length; i++) {
    const [previous = 0, current = 0, next = 0] = sequence.slice(i - 2, i + 1);
    examples.push({ state, previous, current, next });
  }
  return opener;
}

function open({ vocabulary, stateOf, openers }: Draft, topic: Topic, token: number, state: number): void {
  if (stateOf.has(token)) {
    throw new Error(`${topic.name}: the opening word ${vocabulary.tokens[token] ?? ''} is taken`);
  }
  stateOf.set(token, state);
  openers.add(token);
}

/** An answer's opening word is known with a space before it too, and said again when a question names nothing new. */
function addTwin(draft: Draft, topic: Topic, opener: number, state: number): void {
  const { vocabulary, twins, examples } = draft;
  const twin = vocabulary.id(SPACE + openingWord(topic.paragraphs[0] ?? ''));
  open(draft, topic, twin, state);
  twins.set(opener, twin);
  const [previous, current] = [CONTROL_TOKENS.end, CONTROL_TOKENS.assistant].map((token) =>
    vocabulary.id(token),
  );
  examples.push({ state, previous: previous ?? 0, current: current ?? 0, next: opener });
}

/** The end of the answer, or a line feed and the opening word of the paragraph that follows. */
function endOf({ vocabulary }: Draft, topic: Topic, index: number): number[] {
  const last = index === topic.paragraphs.length - 1;
  if (last && topic.endless !== true) return [vocabulary.id(CONTROL_TOKENS.end)];
  const following = topic.paragraphs[last ? 0 : index + 1] ?? '';
  return [vocabulary.id(LINE_FEED), vocabulary.id(openingWord(following))];
}

function refuseKeywords({ vocabulary, stateOf }: Draft, topic: Topic): void {
  for (const text of topic.paragraphs) {
    const stray = vocabulary
      .encode(text, true)
      .slice(1)
      .find((token) => stateOf.has(token));
    if (stray !== undefined)
      throw new Error(`${topic.name}: the answer contains the keyword ${vocabulary.tokens[stray]}`);
  }
}

function refuseAmbiguity(examples: readonly Example[], vocabulary: Vocabulary): void {
  const seen = new Map<string, number>();
  for (const { state, previous, current, next } of examples) {
    const key = `${state} ${previous} ${current}`;
    const known = seen.get(key);
    if (known !== undefined && known !== next) {
      const words = [previous, current, known, next].map((token) => JSON.stringify(vocabulary.tokens[token]));
      throw new Error(
        `after ${words[0]} ${words[1]} both ${words[2]} and ${words[3]} follow in one paragraph`,
      );
    }
    seen.set(key, next);
  }
}
