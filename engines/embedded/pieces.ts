/**
 * The bytes of each token, as llama.cpp's server has them: one token at a time, without the clean-up that its detokenizer
 * does for whole texts. A text is then exactly the sum of its tokens, wherever it is cut and continued.
 */
import type { LlamaModel, TokenId } from './llama-types.js';

/** Tokens as bytes. */
export interface Pieces {
  /** Number of tokens in the vocabulary. */
  readonly count: number;
  /** What a token adds to a generated text; nothing for control tokens. */
  bytesOf(token: TokenId): Uint8Array;
  /** The same, with control tokens spelled out, such as `<s>`. */
  spell(token: TokenId): Uint8Array;
}

const NO_BYTES = new Uint8Array();
/** SentencePiece's sign for a space. */
const SPACE_SIGN = /▁/g;
/** How SentencePiece names a byte. */
const BYTE_PIECE = /^<0x([0-9A-F]{2})>$/;

/** Prepares the table of a model; entries are computed when first asked for. */
export function createPieces(model: LlamaModel): Pieces {
  const vocabulary = model.fileInfo.metadata.tokenizer?.ggml;
  const texts = vocabulary?.tokens ?? [];
  const decode = decoderOf(vocabulary?.model ?? '', model);
  const cache = new Map<TokenId, Uint8Array>();
  const spell = (token: TokenId): Uint8Array => {
    const { control, unknown, userDefined } = model.getTokenAttributes(token);
    const text = texts[token] ?? '';
    return control || unknown || userDefined ? Buffer.from(text) : decode(text, token);
  };
  return {
    count: texts.length,
    spell,
    bytesOf(token) {
      const known = cache.get(token);
      if (known !== undefined) return known;
      const { control, unknown } = model.getTokenAttributes(token);
      const bytes = control || unknown ? NO_BYTES : spell(token);
      cache.set(token, bytes);
      return bytes;
    },
  };
}

/** How a kind of vocabulary writes bytes as text. Kinds that are not known here are left to llama.cpp's detokenizer. */
function decoderOf(kind: string, model: LlamaModel): (text: string, token: TokenId) => Uint8Array {
  switch (kind) {
    case 'gpt2': {
      const bytes = bytesByCharacter();
      return (text) =>
        Buffer.concat(Array.from(text, (character) => bytes.get(character) ?? Buffer.from(character)));
    }
    case 'llama':
    case 't5':
    case 'bert':
      return (text) => {
        const byte = BYTE_PIECE.exec(text)?.[1];
        return byte === undefined ? Buffer.from(text.replace(SPACE_SIGN, ' ')) : Buffer.from(byte, 'hex');
      };
    default:
      return (_, token) => Buffer.from(model.detokenize([token], true));
  }
}

/** GPT-2 writes printable Latin-1 bytes as themselves and the other 68 as the characters from U+0100 on. */
function bytesByCharacter(): Map<string, Uint8Array> {
  const table = new Map<string, Uint8Array>();
  let next = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    table.set(String.fromCodePoint(printable ? byte : next++), Uint8Array.of(byte));
  }
  return table;
}
