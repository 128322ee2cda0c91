/**
 * Turns generated tokens into text that may be sent.
 *
 * Two things hold text back: a character whose bytes are not all there yet, and the possible beginning of a stop word.
 * Tokens are held back and released whole, ids and text together. So after every chunk the ids sent so far spell
 * exactly the text sent so far, and whoever resends prompt and ids to another engine loses and repeats nothing.
 */

/** Tokens to send together with their text. */
export interface ReleasedText {
  readonly content: string;
  readonly tokens: readonly number[];
}

/** The result of adding a token. */
export interface PushResult extends ReleasedText {
  /** The stop word that ended the text, if one did; `content` ends before it, `tokens` are all of them. */
  readonly stoppingWord?: string;
}

interface HeldToken {
  readonly id: number;
  readonly bytes: Uint8Array;
}

const NOTHING: ReleasedText = { content: '', tokens: [] };

/** Holds back and releases the tokens of one generation. */
export class TextRelease {
  readonly #stopWords: readonly { word: string; bytes: Buffer }[];
  #held: HeldToken[] = [];
  /** Bytes of a character that the prompt left unfinished; its text comes with the token that completes it. */
  #unfinished: Uint8Array;

  /**
   * @param stopWords texts that end the generation
   * @param unfinished bytes at the end of the prompt that are only part of a character
   */
  constructor(stopWords: readonly string[], unfinished: Uint8Array = new Uint8Array()) {
    this.#stopWords = stopWords
      .filter((word) => word !== '')
      .map((word) => ({ word, bytes: Buffer.from(word) }));
    this.#unfinished = unfinished;
  }

  /** Adds a generated token and returns what may be sent now, which may be nothing. */
  push(id: number, bytes: Uint8Array): PushResult {
    if (this.#held.length === 0 && this.#stopWords.length === 0 && isComplete(bytes, this.#unfinished)) {
      return this.#take([{ id, bytes }]);
    }
    this.#held.push({ id, bytes });
    const text = Buffer.concat([this.#unfinished, ...this.#held.map((token) => token.bytes)]);
    const stop = findStopWord(text, this.#stopWords);
    if (stop !== undefined) {
      const tokens = this.#held.splice(0).map((token) => token.id);
      return { content: decode(text.subarray(0, stop.index)), tokens, stoppingWord: stop.word };
    }
    const count = this.#releasable(text);
    return count === 0 ? NOTHING : this.#take(this.#held.splice(0, count));
  }

  /**
   * Releases what is held when the generation is over.
   *
   * @param final whether nothing can follow. If not (the limit of tokens is reached), the bytes of an unfinished
   *   character are left out: a continuation of the text delivers the character.
   */
  finish(final: boolean): ReleasedText {
    const tokens = this.#held.splice(0);
    const text = Buffer.concat([this.#unfinished, ...tokens.map((token) => token.bytes)]);
    this.#unfinished = new Uint8Array();
    const end = final ? text.length : text.length - unfinishedLength(text);
    return { content: decode(text.subarray(0, end)), tokens: tokens.map((token) => token.id) };
  }

  #take(tokens: readonly HeldToken[]): ReleasedText {
    const text =
      tokens.length === 1 && this.#unfinished.length === 0
        ? (tokens[0]?.bytes ?? new Uint8Array())
        : Buffer.concat([this.#unfinished, ...tokens.map((token) => token.bytes)]);
    this.#unfinished = new Uint8Array();
    return { content: decode(text), tokens: tokens.map((token) => token.id) };
  }

  /** How many held tokens end at a character's end and before anything that may become a stop word. */
  #releasable(text: Buffer): number {
    const limit = text.length - longestStopPrefix(text, this.#stopWords);
    let end = this.#unfinished.length;
    let count = 0;
    this.#held.forEach((token, index) => {
      end += token.bytes.length;
      if (end <= limit && unfinishedLength(text.subarray(0, end)) === 0) count = index + 1;
    });
    return count;
  }
}

/** How many bytes at the end are the beginning of a UTF-8 character that goes on: 0 to 3. */
export function unfinishedLength(bytes: Uint8Array): number {
  for (let length = 1; length <= Math.min(3, bytes.length); length++) {
    const byte = bytes[bytes.length - length] ?? 0;
    if ((byte & 0b1100_0000) === 0b1000_0000) continue; // inside a character: look further back for its first byte
    const wanted = byte >= 0b1111_0000 ? 4 : byte >= 0b1110_0000 ? 3 : byte >= 0b1100_0000 ? 2 : 1;
    return wanted > length ? length : 0;
  }
  return 0;
}

function isComplete(bytes: Uint8Array, before: Uint8Array): boolean {
  return before.length === 0 && unfinishedLength(bytes) === 0;
}

function findStopWord(
  text: Buffer,
  stopWords: readonly { word: string; bytes: Buffer }[],
): { word: string; index: number } | undefined {
  let first: { word: string; index: number } | undefined;
  for (const { word, bytes } of stopWords) {
    const index = text.indexOf(bytes);
    if (index !== -1 && (first === undefined || index < first.index)) first = { word, index };
  }
  return first;
}

/** The length of the longest end of the text that a stop word begins with. */
function longestStopPrefix(text: Buffer, stopWords: readonly { bytes: Buffer }[]): number {
  let longest = 0;
  for (const { bytes } of stopWords) {
    for (let length = Math.min(bytes.length - 1, text.length); length > longest; length--) {
      if (text.subarray(text.length - length).equals(bytes.subarray(0, length))) longest = length;
    }
  }
  return longest;
}

function decode(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
