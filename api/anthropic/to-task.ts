/** A request for a message as a task: the same durable task as on `/v2`. */
import type { CountTokensRequest, MessagesRequest } from '../../contracts/anthropic.js';
import type { ChatInput } from '../../contracts/node.js';
import { completionTaskOf, defined, type CallerWishes } from '../completions/completion-task.js';
import type { AskedTask } from '../tasks/admit-task.js';
import { textOf, toolUseOf, turnsOf } from './turns.js';

/** The task of a messages request. */
export function messageTask(body: MessagesRequest, wishes: CallerWishes): AskedTask {
  const { model, max_tokens, temperature, top_p, top_k, stop_sequences } = body;
  return completionTaskOf(
    {
      ...{ model, temperature, top_p },
      stop: stop_sequences,
      ...(top_k === undefined ? {} : { sampling: { top_k } }),
    },
    max_tokens,
    inputOf(body),
    { object: 'message', include_usage: true },
    wishes,
  );
}

/** What an engine is given of it; what the system says stands before all turns. */
export function inputOf(body: CountTokensRequest): ChatInput {
  const turns = body.messages.flatMap(turnsOf);
  const { system } = body;
  const messages = system === undefined ? turns : [{ role: 'system', content: textOf(system) }, ...turns];
  return { kind: 'chat', messages, ...defined('tool_use', toolUseOf(body)) };
}
