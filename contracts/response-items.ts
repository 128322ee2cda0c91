/**
 * Items of OpenAI's responses: what a request's input is made of, what a response puts out, and the tools that it may call.
 * An item that was put out may be sent as input of the next request, or be named there by its id.
 */
import { z } from 'zod';
import { functionName } from './tools.js';

const id = z.string().min(1).max(256);

/** A tool, flat as responses have it; its parameters are a JSON schema. */
export const responseTool = z
  .object({
    type: z.literal('function', 'only functions are offered'),
    name: functionName,
    description: z.string().nullish(),
    parameters: z.record(z.string(), z.unknown()).nullish(),
    strict: z.boolean().nullish(),
  })
  .meta({ id: 'ResponseTool' });

/** A tool of a response. */
export type ResponseTool = z.infer<typeof responseTool>;

/** Whether tools are called: as the model likes, not at all, at least one, or this one. */
export const responseToolChoice = z.union(
  [z.enum(['auto', 'none', 'required']), z.object({ type: z.literal('function'), name: functionName })],
  'must be "auto", "none", "required" or a function by name',
);

/** Response tool choice's type. */
export type ResponseToolChoice = z.infer<typeof responseToolChoice>;

const textPart = z.looseObject({ type: z.enum(['input_text', 'output_text']), text: z.string() });
const text = z.union([z.string(), z.array(textPart).max(4096)]);

/** The text of a string or of parts. */
export function textOfParts(said: z.infer<typeof text>): string {
  return typeof said === 'string' ? said : said.map((part) => part.text).join('');
}

const messageItem = z.looseObject({
  type: z.literal('message').optional(),
  role: z.enum(['system', 'developer', 'user', 'assistant']),
  content: text,
});

/** A call that an earlier response made. */
const callItem = z.looseObject({
  type: z.literal('function_call'),
  call_id: id,
  name: z.string().min(1).max(256),
  arguments: z.string(),
});

/** What a tool said. */
const callOutputItem = z.looseObject({ type: z.literal('function_call_output'), call_id: id, output: text });

/** An item of an earlier response. */
const itemReference = z.looseObject({ type: z.literal('item_reference'), id: z.string().max(160) });

/** An item of the input. */
export const inputItem = z.union([itemReference, callItem, callOutputItem, messageItem]);

/** An item that says what it is. */
export type SaidItem = Exclude<z.infer<typeof inputItem>, { type: 'item_reference' }>;

const outputText = z.object({
  type: z.literal('output_text'),
  text: z.string(),
  annotations: z.array(z.unknown()),
  logprobs: z.array(z.unknown()),
});

/** Text of a response's message. */
export type OutputText = z.infer<typeof outputText>;

const itemStatus = z.enum(['in_progress', 'completed', 'incomplete']);

const outputMessage = z.object({
  id: z.string(),
  type: z.literal('message'),
  role: z.literal('assistant'),
  status: itemStatus,
  content: z.array(outputText),
});

/** A response's message. */
export type OutputMessage = z.infer<typeof outputMessage>;

const outputCall = z.object({
  id: z.string(),
  type: z.literal('function_call'),
  status: itemStatus,
  call_id: z.string(),
  name: z.string(),
  arguments: z.string(),
});

/** A call that a response makes. */
export type OutputCall = z.infer<typeof outputCall>;

/** An item that a response puts out. */
export const outputItem = z.discriminatedUnion('type', [outputMessage, outputCall]);
