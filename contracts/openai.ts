/**
 * OpenAI's wire, as its clients really use it: requests with unknown fields tolerated, responses, stream chunks, errors.
 * Field names and shapes are OpenAI's; what Drover does not offer is refused by name, never ignored in silence.
 */
import { z } from 'zod';
import { tokenLogprob } from './logprobs.js';
import { modelName, MOST_LOGPROBS, responseFormat } from './task.js';
import { MOST_TOOLS, tool, toolCall, toolChoice } from './tools.js';

const textPart = z.object({ type: z.literal('text'), text: z.string() });

const nothing = <T extends z.ZodType>(schema: T) => schema.nullish();

const message = z
  .looseObject({
    role: z.enum(['system', 'developer', 'user', 'assistant', 'tool']),
    content: z.union([z.string(), z.array(textPart), z.null()]).optional(),
    tool_calls: nothing(z.array(toolCall).max(MOST_TOOLS)),
    tool_call_id: nothing(z.string().min(1).max(256)),
  })
  .refine(({ role, tool_call_id }) => role !== 'tool' || typeof tool_call_id === 'string', {
    path: ['tool_call_id'],
    message: 'is needed: it says which call this answers',
  });

/** Fields that both kinds of completion have. */
const shared = {
  model: modelName,
  stream: nothing(z.boolean()),
  stream_options: nothing(z.looseObject({ include_usage: z.boolean().optional() })),
  max_tokens: nothing(z.int().min(1)),
  temperature: nothing(z.number().min(0).max(2)),
  top_p: nothing(z.number().gt(0).max(1)),
  top_k: nothing(z.int().min(0)),
  min_p: nothing(z.number().min(0).max(1)),
  presence_penalty: nothing(z.number().min(-2).max(2)),
  frequency_penalty: nothing(z.number().min(-2).max(2)),
  seed: nothing(z.int()),
  stop: nothing(z.union([z.string().min(1).max(256), z.array(z.string().min(1).max(256)).max(16)])),
  n: nothing(z.literal(1, 'only 1 is offered')),
  user: nothing(z.string()),
};

interface ToolWishes {
  tools?: readonly z.infer<typeof tool>[] | null | undefined;
  tool_choice?: z.infer<typeof toolChoice> | null | undefined;
  logprobs?: boolean | null | undefined;
  top_logprobs?: number | null | undefined;
}

/** Fields that say something against one another. */
function contradictionsOf({ tools, tool_choice, logprobs, top_logprobs }: ToolWishes): [string, string][] {
  const names = (tools ?? []).map(({ function: { name } }) => name);
  const found: [string, string][] = [];
  if (new Set(names).size < names.length) found.push(['tools', 'two of them have the same name']);
  if (tool_choice === 'required' && names.length === 0) found.push(['tool_choice', 'needs tools']);
  if (typeof tool_choice === 'object' && tool_choice !== null && !names.includes(tool_choice.function.name))
    found.push(['tool_choice', 'names none of the tools']);
  if (logprobs === true && names.length > 0 && tool_choice !== 'none')
    found.push(['logprobs', 'are not offered together with tools']);
  if ((top_logprobs ?? 0) > 0 && logprobs !== true) found.push(['top_logprobs', 'needs logprobs: true']);
  return found;
}

/** Body of `POST /v1/chat/completions`. */
export const chatRequest = z
  .looseObject({
    ...shared,
    messages: z.array(message).min(1).max(4096),
    max_completion_tokens: nothing(z.int().min(1)),
    tools: nothing(z.array(tool).max(MOST_TOOLS)),
    tool_choice: nothing(toolChoice),
    parallel_tool_calls: nothing(z.boolean()),
    functions: nothing(z.array(z.unknown()).max(0, 'functions are not offered, tools are')),
    response_format: nothing(responseFormat),
    logprobs: nothing(z.boolean()),
    top_logprobs: nothing(z.int().min(0).max(MOST_LOGPROBS)),
  })
  .superRefine((body, ctx) => {
    for (const [field, message] of contradictionsOf(body))
      ctx.addIssue({ code: 'custom', path: [field], message });
  })
  .meta({ id: 'ChatCompletionRequest' });

/** A chat request, checked. */
export type ChatRequest = z.infer<typeof chatRequest>;

/** OpenAI's own bound. */
const MOST_TEXT_LOGPROBS = 5;

/** Body of `POST /v1/completions`. */
export const completionRequest = z
  .looseObject({
    ...shared,
    prompt: z.union([
      z.string(),
      z.array(z.string()).length(1, 'only one prompt a request is offered'),
      z.array(z.int().min(0)).min(1),
    ]),
    echo: nothing(z.literal(false, 'echo is not offered')),
    suffix: nothing(z.literal('', 'suffix is not offered')),
    best_of: nothing(z.literal(1, 'only 1 is offered')),
    logprobs: nothing(z.int().min(0).max(MOST_TEXT_LOGPROBS)),
  })
  .meta({ id: 'CompletionRequest' });

/** A completion request, checked. */
export type CompletionRequest = z.infer<typeof completionRequest>;

/** Token counts of a finished completion. */
export const usage = z
  .object({ prompt_tokens: z.int(), completion_tokens: z.int(), total_tokens: z.int() })
  .meta({ id: 'CompletionUsage' });

const finishReason = z.enum(['stop', 'length', 'tool_calls']);

/** How likely the tokens of a chat were. */
const chatLogprobs = z
  .object({ content: z.array(tokenLogprob), refusal: z.null() })
  .meta({ id: 'ChatLogprobs' });

/** How likely the tokens of a chat were. */
export type ChatLogprobs = z.infer<typeof chatLogprobs>;

/** How likely the tokens of a text were: lists of the same length. */
const textLogprobs = z
  .object({
    tokens: z.array(z.string()),
    token_logprobs: z.array(z.number()),
    top_logprobs: z.array(z.record(z.string(), z.number())),
    text_offset: z.array(z.int()),
  })
  .meta({ id: 'TextLogprobs' });

/** How likely the tokens of a text were. */
export type TextLogprobs = z.infer<typeof textLogprobs>;

const head = { id: z.string(), created: z.int(), model: z.string() };

/** A whole chat completion. */
export const chatCompletion = z
  .object({
    ...head,
    object: z.literal('chat.completion'),
    choices: z.array(
      z.object({
        index: z.int(),
        message: z.object({
          role: z.literal('assistant'),
          content: z.string().nullable(),
          refusal: z.null(),
          tool_calls: z.array(toolCall).optional(),
        }),
        logprobs: chatLogprobs.nullable(),
        finish_reason: finishReason,
      }),
    ),
    usage,
  })
  .meta({ id: 'ChatCompletion' });

/** A whole text completion. */
export const textCompletion = z
  .object({
    ...head,
    object: z.literal('text_completion'),
    choices: z.array(
      z.object({
        index: z.int(),
        text: z.string(),
        logprobs: textLogprobs.nullable(),
        finish_reason: finishReason,
      }),
    ),
    usage,
  })
  .meta({ id: 'TextCompletion' });

/** A whole completion of either kind. */
export type Completion = z.infer<typeof chatCompletion> | z.infer<typeof textCompletion>;

/** A model, as OpenAI lists it. */
export const openaiModel = z
  .object({ id: z.string(), object: z.literal('model'), created: z.int(), owned_by: z.string() })
  .meta({ id: 'OpenAiModel' });

/** Body of `GET /v1/models`. */
export const openaiModels = z
  .object({ object: z.literal('list'), data: z.array(openaiModel) })
  .meta({ id: 'OpenAiModels' });

/** OpenAI's error body; `code` is our own code, so that one search finds it everywhere. */
export const openaiError = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable(),
      code: z.string(),
    }),
  })
  .meta({ id: 'OpenAiError' });

/** OpenAI's error body. */
export type OpenAiError = z.infer<typeof openaiError>;
