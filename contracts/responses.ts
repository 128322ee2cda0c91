/**
 * OpenAI's wire for responses (platform.openai.com/docs/api-reference/responses), as its clients use it: requests with unknown
 * fields tolerated, the response as it stands. What Drover does not offer is refused by name, never ignored in silence.
 */
import { z } from 'zod';
import { inputItem, outputItem, responseTool, responseToolChoice } from './response-items.js';
import { modelName } from './task.js';
import { MOST_TOOLS } from './tools.js';

/** As long as OpenAI lets instructions be; a longer text is an item of the input. */
const LONGEST_INSTRUCTIONS = 256_000;

const metadata = z
  .record(z.string().max(64), z.string().max(512))
  .refine((pairs) => Object.keys(pairs).length <= 16, 'must have at most 16 entries');

const textFormat = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text') }),
  z.object({ type: z.literal('json_object') }),
  z.object({
    type: z.literal('json_schema'),
    name: z.string().max(64),
    description: z.string().max(1024).optional(),
    schema: z.record(z.string(), z.unknown()),
    strict: z.boolean().nullish(),
  }),
]);

/** What a response repeats of its request; it travels with the task, so that any API can say it. */
export const responseWishes = z.object({
  background: z.boolean(),
  store: z.boolean(),
  instructions: z.string().nullable(),
  max_output_tokens: z.int().nullable(),
  metadata: z.record(z.string(), z.string()),
  parallel_tool_calls: z.boolean(),
  temperature: z.number().nullable(),
  text_format: textFormat,
  tool_choice: responseToolChoice,
  tools: z.array(responseTool).default([]),
  top_p: z.number().nullable(),
  user: z.string().nullable(),
});

/** What a response repeats of its request. */
export type ResponseWishes = z.infer<typeof responseWishes>;

const input = z.union(
  [z.string(), z.array(inputItem).min(1).max(4096)],
  'must be a text, or messages of text, calls of functions, what those said, and references to earlier items',
);

const nothing = <T extends z.ZodType>(schema: T) => schema.nullish();
const notOffered = (problem: string) => z.null(problem).optional();
const none = (problem: string) => nothing(z.array(z.unknown()).max(0, problem));

/** Body of `POST /v1/responses`. */
export const responsesRequest = z
  .looseObject({
    model: modelName,
    input,
    instructions: nothing(z.string().max(LONGEST_INSTRUCTIONS)),
    max_output_tokens: nothing(z.int().min(1)),
    temperature: nothing(z.number().min(0).max(2)),
    top_p: nothing(z.number().gt(0).max(1)),
    text: nothing(
      z.looseObject({
        format: nothing(textFormat),
        verbosity: nothing(z.literal('medium', 'another verbosity is not offered')),
      }),
    ),
    metadata: nothing(metadata),
    store: nothing(z.boolean()),
    background: nothing(z.boolean()),
    stream: nothing(z.boolean()),
    user: nothing(z.string().max(512)),
    truncation: nothing(z.literal('disabled', 'truncation is not offered')),
    tools: nothing(z.array(responseTool).max(MOST_TOOLS)),
    tool_choice: nothing(responseToolChoice),
    parallel_tool_calls: nothing(z.boolean()),
    include: none('further output is not offered'),
    top_logprobs: nothing(z.literal(0, 'log probabilities are not offered')),
    previous_response_id: notOffered('earlier responses are not remembered: send their items'),
    conversation: notOffered('conversations are not offered'),
    prompt: notOffered('stored prompts are not offered'),
    reasoning: notOffered('settings of reasoning are not offered'),
    context_management: none('the context is not managed'),
  })
  .refine(({ background, store }) => background !== true || store !== false, {
    path: ['background'],
    message: 'a response in the background is stored',
  })
  .meta({ id: 'ResponsesRequest' });

/** A request for a response, checked. */
export type ResponsesRequest = z.infer<typeof responsesRequest>;

const status = z.enum(['queued', 'in_progress', 'completed', 'incomplete', 'failed', 'cancelled']);

const responseUsage = z.object({
  input_tokens: z.int(),
  input_tokens_details: z.object({ cached_tokens: z.int() }),
  output_tokens: z.int(),
  output_tokens_details: z.object({ reasoning_tokens: z.int() }),
  total_tokens: z.int(),
});

/** A response as it stands. */
export const response = z
  .object({
    id: z.string(),
    object: z.literal('response'),
    created_at: z.int(),
    status,
    background: z.boolean(),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    incomplete_details: z.object({ reason: z.literal('max_output_tokens') }).nullable(),
    instructions: z.string().nullable(),
    max_output_tokens: z.int().nullable(),
    metadata: z.record(z.string(), z.string()),
    model: z.string(),
    output: z.array(outputItem),
    parallel_tool_calls: z.boolean(),
    previous_response_id: z.null(),
    store: z.boolean(),
    temperature: z.number().nullable(),
    text: z.object({ format: textFormat }),
    tool_choice: responseToolChoice,
    tools: z.array(responseTool),
    top_p: z.number().nullable(),
    truncation: z.literal('disabled'),
    usage: responseUsage.nullable(),
    user: z.string().nullable(),
  })
  .meta({ id: 'Response' });

/** A response as it stands. */
export type ResponseObject = z.infer<typeof response>;
