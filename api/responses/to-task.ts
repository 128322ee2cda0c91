/** A request for a response as a task: the same durable task as on `/v2`. */
import type { Dialect } from '../../contracts/node.js';
import type { ResponsesRequest, ResponseWishes } from '../../contracts/responses.js';
import type { TaskRequest } from '../../contracts/task.js';
import { completionTaskOf, defined, type CallerWishes } from '../completions/completion-task.js';
import type { AskedTask } from '../tasks/admit-task.js';
import { toolUseOf, type Turn } from './turns.js';

/** Nobody sits and waits for a response in the background: it may stand in a queue for as long as an hour. */
const BACKGROUND_DEADLINE_MS = 3_600_000;

/** The task of a request for a response, its input as turns. */
export function responseTask(
  body: ResponsesRequest,
  turns: readonly Turn[],
  wishes: CallerWishes,
): AskedTask {
  const { model, temperature, top_p, instructions } = body;
  const told = wishesOf(body);
  const toolUse = toolUseOf(told.tools, told.tool_choice, body.parallel_tool_calls ?? undefined);
  const said = instructions == null ? [] : [{ role: 'system', content: instructions }];
  const task = completionTaskOf(
    { ...{ model, temperature, top_p }, response_format: formatOf(told.text_format) },
    body.max_output_tokens ?? null,
    { kind: 'chat', messages: [...said, ...turns], ...defined('tool_use', toolUse) },
    dialectOf(told),
    wishes,
  );
  if (!told.background) return task;
  return {
    ...task,
    request: { ...task.request, deadline_ms: BACKGROUND_DEADLINE_MS, cancel_on_disconnect: false },
  };
}

function dialectOf(response: ResponseWishes): Dialect {
  return { object: 'response', include_usage: true, response };
}

function wishesOf(body: ResponsesRequest): ResponseWishes {
  return {
    background: body.background ?? false,
    store: body.store ?? true,
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    metadata: body.metadata ?? {},
    parallel_tool_calls: body.parallel_tool_calls ?? true,
    temperature: body.temperature ?? null,
    text_format: body.text?.format ?? { type: 'text' },
    tool_choice: body.tool_choice ?? 'auto',
    tools: body.tools ?? [],
    top_p: body.top_p ?? null,
    user: body.user ?? null,
  };
}

/** The same format in the words of a chat, which are the task's. */
function formatOf(format: ResponseWishes['text_format']): NonNullable<TaskRequest['response_format']> | null {
  if (format.type === 'text') return null;
  if (format.type === 'json_object') return format;
  const { type, ...json_schema } = format;
  return { type, json_schema };
}
