/** What an answer has beside its text: the tools that it calls, and how likely its tokens were. */
import type { Frame } from '../../contracts/events.js';
import type { PieceLogprobs } from '../../contracts/logprobs.js';
import type { ToolCall } from '../../contracts/tools.js';

/** What stands in a task's frames beside the text. */
export interface BesideText {
  /** In the order in which they were begun. */
  toolCalls: readonly ToolCall[];
  /** Of each piece of the text; empty where nobody asked. */
  logprobs: readonly PieceLogprobs[];
}

/** Gathers it from an ended task's frames. */
export function besideText(frames: readonly Frame[]): BesideText {
  const calls = new Map<number, ToolCall>();
  const logprobs: PieceLogprobs[] = [];
  for (const frame of frames) {
    if (frame.type !== 'token') continue;
    if (frame.data.logprobs !== undefined) logprobs.push(frame.data.logprobs);
    const delta = frame.data.tool_call;
    if (delta === undefined) continue;
    const known = calls.get(delta.index);
    if (known !== undefined) known.function.arguments += delta.arguments;
    else calls.set(delta.index, callOf(delta));
  }
  return { toolCalls: [...calls.values()], logprobs };
}

type TokenFrame = Extract<Frame, { type: 'token' }>;

function callOf({
  id = '',
  name = '',
  arguments: args,
}: NonNullable<TokenFrame['data']['tool_call']>): ToolCall {
  return { id, type: 'function', function: { name, arguments: args } };
}
