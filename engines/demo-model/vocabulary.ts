/**
 * The tokenizer's table: SentencePiece ("llama") pieces for the corpus words, all their prefixes, and the 256 bytes.
 *
 * llama.cpp builds a word by merging two neighbours at a time, so a word is only found when every prefix of it is a
 * piece too. Whatever is not in the table falls back to byte pieces, which is how the UTF-8 of "☕" ends up split over
 * three tokens.
 */

/** SentencePiece writes a space as this character. */
export const SPACE = '▁';

/** Control tokens, in id order; the chat template and the weights refer to them by these names. */
export const CONTROL_TOKENS = {
  unknown: '<unk>',
  begin: '<s>',
  end: '<|end|>',
  system: '<|system|>',
  user: '<|user|>',
  assistant: '<|assistant|>',
  tool: '<|tool|>',
} as const;

/** Values of `tokenizer.ggml.token_type`. */
export const TOKEN_TYPE = { normal: 1, unknown: 2, control: 3, byte: 6 } as const;

/** Any piece that can start a sentence glued to what stands before it. */
const PUNCTUATION = ['.', ',', ';', ':', '?', '!'];
/**
 * What becomes one piece: a plain word with its punctuation. "bare," and "bare" being two pieces makes the two tokens
 * that the model remembers reach further back. Anything else is spelled in prefixes and bytes.
 */
const PLAIN_CHUNK = /^[A-Za-z'-]+[.,;:?!]*$/;

/** The table and its inverse. */
export class Vocabulary {
  readonly tokens: string[] = [];
  readonly types: number[] = [];
  /** Higher merges first: pieces that start with a space go before glued ones, or "▁Waves" would lose its head. */
  readonly scores: number[] = [];
  readonly #ids = new Map<string, number>();

  /** @param words texts whose words become pieces, in this order */
  constructor(words: Iterable<string>) {
    for (const token of Object.values(CONTROL_TOKENS)) {
      this.#add(token, token === CONTROL_TOKENS.unknown ? TOKEN_TYPE.unknown : TOKEN_TYPE.control, 0);
    }
    for (let byte = 0; byte < 256; byte++) this.#add(bytePiece(byte), TOKEN_TYPE.byte, 0);
    this.#add(SPACE, TOKEN_TYPE.normal, 0);
    for (const mark of PUNCTUATION) this.#add(mark, TOKEN_TYPE.normal, 0);
    for (const word of words) {
      const score = word.startsWith(SPACE) ? 0 : -1;
      for (let length = 1; length <= word.length; length++)
        this.#add(word.slice(0, length), TOKEN_TYPE.normal, score);
    }
  }

  /** The id of a piece; throws if there is none. */
  id(piece: string): number {
    const id = this.#ids.get(piece);
    if (id === undefined) throw new Error(`the vocabulary has no piece ${JSON.stringify(piece)}`);
    return id;
  }

  /**
   * The tokens of a text of the corpus, as llama.cpp would cut it.
   *
   * @param glued whether the first word has no space before it, as at the start of an answer
   */
  encode(text: string, glued: boolean): number[] {
    return text
      .split(' ')
      .flatMap((chunk, index) => this.#spell(index > 0 || !glued ? SPACE + chunk : chunk));
  }

  /** The longest known prefix of a chunk (all of it, for a plain word), then bytes. */
  #spell(piece: string): number[] {
    let length = piece.length;
    while (length > 0 && !this.#ids.has(piece.slice(0, length))) length--;
    const head = length === 0 ? [] : [this.id(piece.slice(0, length))];
    return [
      ...head,
      ...[...Buffer.from(piece.slice(length), 'utf8')].map((byte) => this.id(bytePiece(byte))),
    ];
  }

  #add(token: string, type: number, score: number): void {
    if (this.#ids.has(token)) return; // llama.cpp asserts that token texts are unique
    this.#ids.set(token, this.tokens.length);
    this.tokens.push(token);
    this.types.push(type);
    this.scores.push(score);
  }
}

/** The chunks of a text that become pieces. */
export function wordsOf(text: string, glued: boolean): string[] {
  return text
    .split(' ')
    .map((chunk, index) => (index > 0 || !glued ? SPACE + chunk : chunk))
    .filter((piece) => PLAIN_CHUNK.test(piece.replace(SPACE, '')));
}

/** The plain beginnings of the chunks that have other characters in them, such as "na" of "naïve". */
export function headsOf(text: string): string[] {
  return text
    .split(' ')
    .filter((chunk) => !PLAIN_CHUNK.test(chunk))
    .flatMap((chunk) => /^[A-Za-z]+/.exec(chunk)?.map((head) => SPACE + head) ?? []);
}

/** The piece of one byte. */
export function bytePiece(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
}
