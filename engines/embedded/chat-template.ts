/** Turns messages into a prompt, with the template that the model's file carries. */
import { invalid } from './http-error.js';
import type { LlamaModel, TemplatePackage } from './llama-types.js';
import { type Fields, isObject } from './request-fields.js';

/** ChatML: what llama-server too takes for a model without a template. */
const FALLBACK_TEMPLATE =
  "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

interface Message {
  readonly role: string;
  readonly content: string;
}

/** The template of a model, parsed once. */
export class ChatTemplate {
  /** The template's source. */
  readonly source: string;
  readonly #template: InstanceType<TemplatePackage['Template']>;
  readonly #tokens: LlamaModel['tokens'];

  constructor(model: LlamaModel, { Template }: TemplatePackage) {
    this.source = model.fileInfo.metadata.tokenizer?.chat_template ?? FALLBACK_TEMPLATE;
    this.#template = new Template(this.source);
    this.#tokens = model.tokens;
  }

  /**
   * The prompt for a request's `messages`. If the last one is the assistant's, the answer goes on where it ends.
   * The begin token is left out where the tokenizer adds it anyway.
   */
  render(fields: Fields): string {
    const messages = readMessages(fields);
    const last = messages.at(-1);
    const continued = last?.role === 'assistant' ? last.content : '';
    const prompt = this.#render({
      ...fields.object('chat_template_kwargs'),
      messages: continued === '' ? messages : messages.slice(0, -1),
      add_generation_prompt: continued !== '' || fields.boolean('add_generation_prompt', true),
      bos_token: this.#tokens.bosString ?? '',
      eos_token: this.#tokens.eosString ?? '',
    });
    const begin = this.#tokens.shouldPrependBosToken ? (this.#tokens.bosString ?? '') : '';
    return (begin !== '' && prompt.startsWith(begin) ? prompt.slice(begin.length) : prompt) + continued;
  }

  #render(variables: Record<string, unknown>): string {
    try {
      return this.#template.render(variables);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw invalid(`The chat template cannot render these messages: ${reason}`);
    }
  }
}

function readMessages(fields: Fields): Message[] {
  const messages = fields.value('messages');
  if (messages === undefined) throw invalid("'messages' is required");
  if (!Array.isArray(messages)) throw invalid("Expected 'messages' to be an array");
  if (messages.length === 0) throw invalid("'messages' must not be empty");
  return messages.map((message: unknown) => {
    if (!isObject(message) || typeof message.role !== 'string') throw invalid('Each message needs a role');
    return { ...message, role: message.role, content: readContent(message.content) };
  });
}

/** Text, or OpenAI's list of parts, of which this engine knows text only. */
function readContent(content: unknown): string {
  if (content === undefined || content === null) return '';
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) throw invalid("A message's content must be a string or a list of parts");
  return content
    .map((part: unknown) => {
      if (isObject(part) && part.type === 'text' && typeof part.text === 'string') return part.text;
      throw invalid('The embedded engine understands text parts only');
    })
    .join('');
}
