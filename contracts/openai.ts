/**
 * OpenAI's wire, as its clients really use it: requests with unknown fields tolerated, responses, stream chunks, errors.
 * Field names and shapes are OpenAI's; what Drover does not offer is refused by name, never ignored in silence.
 */
import { z } from 'zod';

const textPart = z.object({ type: z.literal('text'), text: z.string() });

const message = z.looseObject({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool']),
  content: z.union([z.string(), z.array(textPart), z.null()]).optional(),
});

const nothing = <T extends z.ZodType>(schema: T) => schema.nullish();

/** Fields that both kinds of completion have. */
const shared = {
  model: z
    .string()
    .min(1)
    .max(1024)
    .meta({ examples: ['demo'] }),
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

/** Body of `POST /v1/chat/completions`. */
export const chatRequest = z
  .looseObject({
    ...shared,
    messages: z.array(message).min(1).max(4096),
    max_completion_tokens: nothing(z.int().min(1)),
    tools: nothing(z.array(z.unknown()).max(0, 'tools are not offered')),
    functions: nothing(z.array(z.unknown()).max(0, 'functions are not offered')),
    response_format: nothing(z.looseObject({ type: z.literal('text', 'only "text" is offered') })),
    logprobs: nothing(z.literal(false, 'log probabilities are not offered')),
    top_logprobs: nothing(z.literal(0, 'log probabilities are not offered')),
  })
  .meta({ id: 'ChatCompletionRequest' });

/** A chat request, checked. */
export type ChatRequest = z.infer<typeof chatRequest>;

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
    logprobs: nothing(z.literal(0, 'log probabilities are not offered')),
  })
  .meta({ id: 'CompletionRequest' });

/** A completion request, checked. */
export type CompletionRequest = z.infer<typeof completionRequest>;

/** Token counts of a finished completion. */
export const usage = z
  .object({ prompt_tokens: z.int(), completion_tokens: z.int(), total_tokens: z.int() })
  .meta({ id: 'CompletionUsage' });

const finishReason = z.enum(['stop', 'length']);
const head = { id: z.string(), created: z.int(), model: z.string() };

/** A whole chat completion. */
export const chatCompletion = z
  .object({
    ...head,
    object: z.literal('chat.completion'),
    choices: z.array(
      z.object({
        index: z.int(),
        message: z.object({ role: z.literal('assistant'), content: z.string(), refusal: z.null() }),
        logprobs: z.null(),
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
      z.object({ index: z.int(), text: z.string(), logprobs: z.null(), finish_reason: finishReason }),
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
