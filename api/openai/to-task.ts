/** An OpenAI request as a task: the same durable task as on `/v2`. */
import type { Dialect, RunInput } from '../../contracts/node.js';
import type { ChatRequest, CompletionRequest } from '../../contracts/openai.js';
import type { ToolUse } from '../../contracts/tools.js';
import {
  completionTaskOf,
  defined,
  type CallerWishes,
  type CompletionSettings,
} from '../completions/completion-task.js';
import type { AskedTask } from '../tasks/admit-task.js';

/** The task of a chat request. */
export function chatTask(body: ChatRequest, wishes: CallerWishes): AskedTask {
  const messages = body.messages.map(({ role, content, tool_calls, tool_call_id }) => ({
    role: role === 'developer' ? 'system' : role,
    content: typeof content === 'string' ? content : (content ?? []).map(({ text }) => text).join(''),
    ...(tool_calls == null || tool_calls.length === 0 ? {} : { tool_calls }),
    ...defined('tool_call_id', tool_call_id),
  }));
  const logprobs = body.logprobs === true ? (body.top_logprobs ?? 0) : null;
  const maxTokens = body.max_completion_tokens ?? body.max_tokens;
  return completionTaskOf(
    { ...settingsOf(body), response_format: body.response_format ?? null, logprobs },
    maxTokens ?? null,
    { kind: 'chat', messages, ...defined('tool_use', toolUseOf(body)) },
    dialectOf('chat.completion', body),
    wishes,
  );
}

/** The task of a text completion request. */
export function completionTask(body: CompletionRequest, wishes: CallerWishes): AskedTask {
  const dialect = dialectOf('text_completion', body);
  const settings = { ...settingsOf(body), logprobs: body.logprobs ?? null };
  return completionTaskOf(settings, body.max_tokens ?? null, inputOf(body.prompt), dialect, wishes);
}

/** The tools that the answer may call; none of them is as if there were none. */
function toolUseOf({ tools, tool_choice, parallel_tool_calls }: ChatRequest): ToolUse | undefined {
  if (tools == null || tools.length === 0 || tool_choice === 'none') return undefined;
  return {
    tools,
    ...defined('tool_choice', tool_choice),
    ...defined('parallel_tool_calls', parallel_tool_calls),
  };
}

function inputOf(prompt: CompletionRequest['prompt']): RunInput {
  if (typeof prompt === 'string') return { kind: 'text', text: prompt };
  const ids = prompt.filter((item) => typeof item === 'number');
  return ids.length > 0 ? { kind: 'ids', ids } : { kind: 'text', text: prompt.join('') };
}

function dialectOf(object: Dialect['object'], { stream_options }: ChatRequest | CompletionRequest): Dialect {
  return { object, include_usage: stream_options?.include_usage === true };
}

function settingsOf(body: ChatRequest | CompletionRequest): CompletionSettings {
  const { model, temperature, top_p, seed, stop } = body;
  return {
    ...{ model, temperature, top_p, seed },
    ...(stop === undefined || stop === null ? {} : { stop: typeof stop === 'string' ? [stop] : stop }),
    ...samplingOf(body),
  };
}

function samplingOf({ top_k, min_p, presence_penalty, frequency_penalty }: ChatRequest | CompletionRequest) {
  const sampling = {
    ...defined('top_k', top_k),
    ...defined('min_p', min_p),
    ...defined('presence_penalty', presence_penalty),
    ...defined('frequency_penalty', frequency_penalty),
  };
  return Object.keys(sampling).length === 0 ? {} : { sampling };
}
