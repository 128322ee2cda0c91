/** Items of a response's input as the turns of a chat: a call is part of its turn, and what a tool said a turn of its own. */
import type { ChatInput } from '../../contracts/node.js';
import {
  textOfParts,
  type ResponseTool,
  type ResponseToolChoice,
  type SaidItem,
} from '../../contracts/response-items.js';
import type { ToolChoice, ToolUse } from '../../contracts/tools.js';
import { defined } from '../completions/completion-task.js';

/** A turn of the chat that a response answers. */
export type Turn = ChatInput['messages'][number];

/** The turns that these items are; calls in a row are one turn, with the words before them. */
export function turnsOf(items: readonly SaidItem[]): Turn[] {
  const turns: Turn[] = [];
  for (const item of items) {
    const last = turns.at(-1);
    if (item.type !== 'function_call') turns.push(turnOf(item));
    else if (last?.role === 'assistant') last.tool_calls = [...(last.tool_calls ?? []), callOf(item)];
    else turns.push({ role: 'assistant', content: '', tool_calls: [callOf(item)] });
  }
  return turns;
}

function turnOf(item: Exclude<SaidItem, { type: 'function_call' }>): Turn {
  if (item.type === 'function_call_output')
    return { role: 'tool', tool_call_id: item.call_id, content: textOfParts(item.output) };
  const role = item.role === 'developer' ? 'system' : item.role;
  return { role, content: textOfParts(item.content) };
}

function callOf({ call_id, name, arguments: args }: Extract<SaidItem, { type: 'function_call' }>) {
  return { id: call_id, type: 'function' as const, function: { name, arguments: args } };
}

/** The tools that the response may call, in the words of a chat; none of them is as if there were none. */
export function toolUseOf(
  tools: readonly ResponseTool[],
  choice: ResponseToolChoice,
  parallel_tool_calls: boolean | undefined,
): ToolUse | undefined {
  if (tools.length === 0 || choice === 'none') return undefined;
  return {
    tools: tools.map(({ name, description, parameters, strict }) => ({
      type: 'function',
      function: {
        name,
        ...defined('description', description),
        ...defined('parameters', parameters),
        ...defined('strict', strict),
      },
    })),
    tool_choice: choiceOf(choice),
    ...defined('parallel_tool_calls', parallel_tool_calls),
  };
}

function choiceOf(choice: ResponseToolChoice): ToolChoice {
  return typeof choice === 'string' ? choice : { type: 'function', function: { name: choice.name } };
}
