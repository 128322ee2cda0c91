/** `/tokenize`, `/detokenize` and `/apply-template`: the model's tokenizer and chat template as a service. */
import type { Exchange } from './http-exchange.js';
import { invalid } from './http-error.js';
import type { Engine } from './load-engine.js';
import { isToken, tokenizePrompt } from './prompt.js';

/** `{content, add_special=false, parse_special=true, with_pieces=false}` → `{tokens}`. */
export async function answerTokenize(engine: Engine, exchange: Exchange): Promise<void> {
  const fields = await exchange.readFields();
  const content = fields.string('content') ?? '';
  const tokens =
    content === ''
      ? []
      : fields.boolean('add_special', false)
        ? tokenizePrompt(engine, content)
        : engine.model.tokenize(content, fields.boolean('parse_special', true));
  if (!fields.boolean('with_pieces', false)) {
    exchange.sendJson({ tokens });
    return;
  }
  exchange.sendJson({ tokens: tokens.map((id) => ({ id, piece: describePiece(engine.pieces.spell(id)) })) });
}

/** `{tokens}` → `{content}`, control tokens spelled out. */
export async function answerDetokenize(engine: Engine, exchange: Exchange): Promise<void> {
  const fields = await exchange.readFields();
  const tokens = fields.value('tokens') ?? [];
  if (!Array.isArray(tokens) || !tokens.every((id): id is number => isToken(engine.pieces, id as number))) {
    throw invalid("Field 'tokens' must be a list of token ids");
  }
  exchange.sendJson({ content: Buffer.concat(tokens.map((id) => engine.pieces.spell(id))).toString('utf8') });
}

/** `{messages}` → `{prompt}`. */
export async function answerApplyTemplate(engine: Engine, exchange: Exchange): Promise<void> {
  exchange.sendJson({ prompt: engine.chatTemplate.render(await exchange.readFields()) });
}

/** A text, or the bytes where they are not a text by themselves. */
function describePiece(bytes: Uint8Array): string | number[] {
  const text = Buffer.from(bytes).toString('utf8');
  return Buffer.from(text).equals(bytes) ? text : [...bytes];
}
