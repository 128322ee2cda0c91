/**
 * Tools that an answer may call, in OpenAI's shape, which every engine's chat route knows: what a request offers, what an
 * answer calls, and the pieces in which a call is streamed.
 */
import { z } from 'zod';

/** Tools that a request may offer, and calls that a turn may make: OpenAI's own bound, which engines know. */
export const MOST_TOOLS = 128;

/** A function's name, as OpenAI bounds it. */
export const functionName = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be 1 to 64 letters, digits, "_" or "-"');

/** A tool that may be called; its parameters are a JSON schema. */
export const tool = z
  .object({
    type: z.literal('function', 'only functions are offered'),
    function: z.object({
      name: functionName,
      description: z.string().optional(),
      parameters: z.record(z.string(), z.unknown()).optional(),
      strict: z.boolean().nullish(),
    }),
  })
  .meta({ id: 'Tool' });

/** Whether tools are called: as the model likes, at least one, this one, or none. */
export const toolChoice = z
  .union(
    [
      z.enum(['auto', 'none', 'required']),
      z.object({ type: z.literal('function'), function: z.object({ name: functionName }) }),
    ],
    'must be "auto", "none", "required" or a function by name',
  )
  .meta({ id: 'ToolChoice' });

/** Tool choice's type. */
export type ToolChoice = z.infer<typeof toolChoice>;

/** A call that an answer makes; `arguments` is JSON as the model wrote it, which may not fit the tool's schema. */
export const toolCall = z
  .object({
    id: z.string().min(1).max(256),
    type: z.literal('function', 'only functions are offered'),
    function: z.object({ name: z.string().min(1).max(256), arguments: z.string() }),
  })
  .meta({ id: 'ToolCall' });

/** A tool call's type. */
export type ToolCall = z.infer<typeof toolCall>;

/** A piece of a call: the first of an `index` has id and name, and each adds to the arguments. */
export const toolCallDelta = z
  .object({
    index: z.int().min(0),
    id: z.string().optional(),
    name: z.string().optional(),
    arguments: z.string(),
  })
  .meta({ id: 'ToolCallDelta' });

/** A tool call delta's type. */
export type ToolCallDelta = z.infer<typeof toolCallDelta>;

/** The tools of a request, under the names that chat routes have for them. */
export const toolUse = z.object({
  tools: z.array(tool).min(1),
  tool_choice: toolChoice.optional(),
  parallel_tool_calls: z.boolean().optional(),
});

/** The tools of a request. */
export type ToolUse = z.infer<typeof toolUse>;
