/**
 * Anthropic's wire for messages, as its clients use it: requests with unknown fields tolerated, whole messages, errors. Field
 * names and shapes are Anthropic's; what Drover does not offer is refused by name.
 */
import { z } from 'zod';
import { modelName } from './task.js';
import { functionName, MOST_TOOLS } from './tools.js';

const textBlock = z.looseObject({ type: z.literal('text', 'only text is offered'), text: z.string() });
const text = z.union([z.string(), z.array(textBlock)]);
const id = z.string().min(1).max(256);

/** A use of a tool, as answers have it and later requests repeat it. */
const toolUseBlock = z.object({
  type: z.literal('tool_use'),
  id,
  name: z.string().min(1).max(256),
  input: z.record(z.string(), z.unknown()),
});

/** What a tool said. */
const toolResultBlock = z.looseObject({
  type: z.literal('tool_result'),
  tool_use_id: id,
  content: text.optional(),
});

/** A block of a turn. */
const block = z.discriminatedUnion(
  'type',
  [textBlock, toolUseBlock, toolResultBlock],
  'only text, tool_use and tool_result are offered',
);

/** A block of a turn. */
export type Block = z.infer<typeof block>;

const toolDefinition = z.looseObject({
  type: z.literal('custom', 'only tools of your own are offered').nullish(),
  name: functionName,
  description: z.string().optional(),
  input_schema: z.record(z.string(), z.unknown()),
});

const parallel = { disable_parallel_tool_use: z.boolean().optional() };

const toolChoice = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('auto'), ...parallel }),
  z.looseObject({ type: z.literal('any'), ...parallel }),
  z.looseObject({ type: z.literal('tool'), name: functionName, ...parallel }),
  z.looseObject({ type: z.literal('none') }),
]);

/** Body of `POST /v1/messages`. */
export const messagesRequest = z
  .looseObject({
    model: modelName,
    max_tokens: z.int().min(1),
    messages: z
      .array(
        z.looseObject({
          role: z.enum(['user', 'assistant']),
          content: z.union([z.string(), z.array(block)]),
        }),
      )
      .min(1)
      .max(4096),
    system: text.optional(),
    stream: z.boolean().optional(),
    temperature: z.number().min(0).max(1).optional(),
    top_p: z.number().gt(0).max(1).optional(),
    top_k: z.int().min(0).optional(),
    stop_sequences: z.array(z.string().min(1).max(256)).max(16).optional(),
    tools: z.array(toolDefinition).max(MOST_TOOLS).optional(),
    tool_choice: toolChoice.optional(),
  })
  .meta({ id: 'MessagesRequest' });

/** A messages request, checked. */
export type MessagesRequest = z.infer<typeof messagesRequest>;

/** Body of `POST /v1/messages/count_tokens`: what of a message an engine reads. */
export const countTokensRequest = messagesRequest
  .pick({ model: true, messages: true, system: true, tools: true, tool_choice: true })
  .meta({ id: 'CountTokensRequest' });

/** A request to count, checked. */
export type CountTokensRequest = z.infer<typeof countTokensRequest>;

/** How many tokens that is. */
export const messageTokens = z.object({ input_tokens: z.int() }).meta({ id: 'MessageTokens' });

const stopReason = z.enum(['end_turn', 'max_tokens', 'stop_sequence', 'tool_use']);

/** A whole message. */
export const wholeMessage = z
  .object({
    id: z.string(),
    type: z.literal('message'),
    role: z.literal('assistant'),
    model: z.string(),
    content: z.array(z.union([z.object({ type: z.literal('text'), text: z.string() }), toolUseBlock])),
    stop_reason: stopReason,
    stop_sequence: z.string().nullable(),
    usage: z.object({ input_tokens: z.int(), output_tokens: z.int() }),
  })
  .meta({ id: 'Message' });

/** A whole message. */
export type WholeMessage = z.infer<typeof wholeMessage>;

/** Why a message stopped. */
export type MessageStop = z.infer<typeof stopReason>;

/** Anthropic's error body; `error.code` is our own, so that one search finds it everywhere. */
export const anthropicError = z
  .object({
    type: z.literal('error'),
    error: z.object({ type: z.string(), message: z.string(), code: z.string() }),
    request_id: z.string().optional(),
  })
  .meta({ id: 'AnthropicError' });

/** Anthropic's error body. */
export type AnthropicError = z.infer<typeof anthropicError>;
