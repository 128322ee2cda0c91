/** Anthropic's turns and tools in the words that engines know: a tool's result is a turn of its own, a call part of its turn. */
import type { Block, CountTokensRequest, MessagesRequest } from '../../contracts/anthropic.js';
import type { ChatInput } from '../../contracts/node.js';
import type { ToolChoice, ToolUse } from '../../contracts/tools.js';
import { defined } from '../completions/completion-task.js';

type Turn = ChatInput['messages'][number];

/** The text of a string or of blocks. */
export function textOf(content: string | readonly Block[]): string {
  if (typeof content === 'string') return content;
  return content.map((block) => (block.type === 'text' ? block.text : '')).join('');
}

/** The turns that one message is: what its tools said first, since that answers the turn before. */
export function turnsOf({ role, content }: MessagesRequest['messages'][number]): Turn[] {
  if (typeof content === 'string') return [{ role, content }];
  const results = content.flatMap((block) => (block.type === 'tool_result' ? [block] : []));
  const tool_calls = content.flatMap((block) => (block.type === 'tool_use' ? [callOf(block)] : []));
  const said = results.map((result): Turn => ({
    role: 'tool',
    tool_call_id: result.tool_use_id,
    content: textOf(result.content ?? ''),
  }));
  const text = textOf(content);
  if (text === '' && tool_calls.length === 0 && said.length > 0) return said;
  return [...said, { role, content: text, ...(tool_calls.length === 0 ? {} : { tool_calls }) }];
}

function callOf({ id, name, input }: Extract<Block, { type: 'tool_use' }>) {
  return { id, type: 'function' as const, function: { name, arguments: JSON.stringify(input) } };
}

/** The tools that the answer may use; none of them is as if there were none. */
export function toolUseOf({ tools = [], tool_choice: choice }: CountTokensRequest): ToolUse | undefined {
  if (tools.length === 0 || choice?.type === 'none') return undefined;
  return {
    tools: tools.map(({ name, description, input_schema }) => ({
      type: 'function',
      function: { name, ...defined('description', description), parameters: input_schema },
    })),
    ...(choice === undefined ? {} : { tool_choice: choiceOf(choice) }),
    ...(choice?.disable_parallel_tool_use === undefined
      ? {}
      : { parallel_tool_calls: !choice.disable_parallel_tool_use }),
  };
}

type Choice = Exclude<NonNullable<MessagesRequest['tool_choice']>, { type: 'none' }>;

function choiceOf(choice: Choice): ToolChoice {
  if (choice.type === 'tool') return { type: 'function', function: { name: choice.name } };
  return choice.type === 'any' ? 'required' : 'auto';
}
