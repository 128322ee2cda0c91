/** What must be true of the streams that clients read: one end, no offset twice, no token missing, the right text. */
import type { SeenEvent } from './event-blocks.js';
import type { Facts, LogFacts, Saying } from './facts.js';
import { wishKey } from './requests.js';
import {
  closingOf,
  eventsOf,
  isClosing,
  isError,
  taskIdOf,
  textOf,
  wasAccepted,
  type Story,
} from './story.js';

/** Each accepted task ends once, for its client and for everybody who asks later. */
export function endProblems({ stories, tasks }: Facts): string[] {
  return stories.flatMap((story) => {
    const { name } = story.task;
    if (story.problem !== undefined) return [`${name}: ${story.problem}`];
    if (!wasAccepted(story) || !story.task.stream) return [];
    const ends = eventsOf(story).filter(isClosing);
    const replay = tasks.get(taskIdOf(story) ?? '')?.replay;
    const replayed = replay?.filter(isClosing) ?? [];
    return [
      ...(ends.length === 1 ? [] : [`${name}: its client saw ${ends.length} ends`]),
      ...(replayed.length === 1 ? [] : [`${name}: a fresh reader saw ${replayed.length} ends`]),
      ...(replay === undefined || replay.at(-1) === closingOf(replay)
        ? []
        : [`${name}: frames after the end`]),
      ...strayErrors(story),
    ];
  });
}

/** An error without an id speaks of the way to the task; nothing that is struck here cuts that way. */
function strayErrors(story: Story): string[] {
  return eventsOf(story)
    .filter((seen) => isError(seen) && seen.id === undefined)
    .map(({ data }) => `${story.task.name}: the stream broke off with ${data}`);
}

/** Offsets rise, over all visits; tokens count from 0 without a gap. */
export function offsetProblems({ stories }: Facts): string[] {
  return stories.flatMap((story) => {
    const events = eventsOf(story);
    const problems = [...orderProblems(events), ...countProblems(events), ...openAiProblems(story)];
    return problems.map((problem) => `${story.task.name}: ${problem}`);
  });
}

function orderProblems(events: readonly SeenEvent[]): string[] {
  const ids = events.flatMap(({ id }) => (id === undefined ? [] : [id]));
  return ids.flatMap((id, index) => {
    const before = ids[index - 1];
    if (before === undefined || placeOf(id) > placeOf(before)) return [];
    return [id === before ? `offset ${id} came twice` : `offset ${id} came after ${before}`];
  });
}

/** `7` and `7.1`, the second chunk of the same frame, as numbers that sort. */
function placeOf(id: string): number {
  const [offset = '', part = '0'] = id.split('.');
  return Number(offset) * 10 + Number(part);
}

function countProblems(events: readonly SeenEvent[]): string[] {
  const indices = events
    .filter(({ event }) => event === 'token')
    .map(({ data }) => (JSON.parse(data) as { i: number }).i);
  const started = events.filter(({ event }) => event === 'started').length;
  return [
    ...indices.flatMap((i, index) => (i === index ? [] : [`token ${index} has i ${i}`])),
    ...(started > 1 ? ['it began twice'] : []),
  ];
}

interface Chunk {
  id?: string;
  created?: number;
  choices?: { delta?: { role?: string }; finish_reason: string | null }[];
}

/** One completion: one id, one head, one role, one finish. */
function openAiProblems(story: Story): string[] {
  if (story.task.route === 'v2' || !story.task.stream) return [];
  const data = eventsOf(story).map((event) => event.data);
  const chunks = data.filter((text) => text.startsWith('{"id"')).map((text) => JSON.parse(text) as Chunk);
  const heads = new Set(chunks.map(({ id, created }) => `${id} ${created}`));
  const choices = chunks.flatMap((chunk) => chunk.choices ?? []);
  const roles = choices.filter(({ delta }) => delta?.role !== undefined).length;
  const finishes = choices.filter(({ finish_reason }) => finish_reason !== null).length;
  return [
    ...(heads.size <= 1 ? [] : [`chunks of ${[...heads].join(' and ')}`]),
    ...(roles === (story.task.route === 'chat' && chunks.length > 0 ? 1 : 0) ? [] : [`${roles} roles`]),
    ...(finishes === (data.includes('[DONE]') ? 1 : 0) ? [] : [`${finishes} finishes`]),
  ];
}

/** What the client put together, what a fresh reader gets, what the log holds and what an undisturbed run says agree. */
export function textProblems(facts: Facts): string[] {
  return facts.stories.filter(wasAccepted).flatMap((story) => {
    const { task } = story;
    const saying = facts.undisturbed.get(wishKey(task));
    if (saying === undefined) return [`${task.name}: nobody knows what it should say`];
    const known = facts.tasks.get(taskIdOf(story) ?? '');
    const problems = task.stream
      ? [
          ...sayingProblems(eventsOf(story), saying),
          ...replayProblems(eventsOf(story), known?.replay),
          ...logProblems(eventsOf(story), known?.log),
        ]
      : wholeProblems(story.whole ?? '', saying, known?.log);
    return problems.map((problem) => `${task.name}: ${problem}`);
  });
}

/** A task that was cut off has said a beginning of it. */
function sayingProblems(events: readonly SeenEvent[], saying: Saying): string[] {
  const text = textOf(events);
  const isWhole = closingOf(events)?.event === 'end' || events.some(({ data }) => data === '[DONE]');
  if (isWhole ? text === saying.text : saying.text.startsWith(text)) return [];
  return [`it said ${JSON.stringify(text)}, undisturbed it says ${JSON.stringify(saying.text)}`];
}

/** Live figures may be left out for a slow reader; nothing else may differ, not in a byte. */
function replayProblems(events: readonly SeenEvent[], replay: readonly SeenEvent[] | undefined): string[] {
  if (replay === undefined) return ['no fresh reader could read it'];
  const lasting = (list: readonly SeenEvent[]) => list.filter(({ event }) => event !== 'metrics').map(asText);
  const [seen, again] = [lasting(events), lasting(replay)];
  const at = again.findIndex((text, index) => text !== seen[index]);
  if (at === -1 && seen.length === again.length) return [];
  const index = at === -1 ? again.length : at;
  return [`frame ${index} was ${seen[index] ?? 'missing'}, a fresh reader gets ${again[index] ?? 'none'}`];
}

function asText({ id, event, data }: SeenEvent): string {
  return `${id ?? '-'} ${event} ${data}`;
}

function logProblems(events: readonly SeenEvent[], log: LogFacts | undefined): string[] {
  if (log === undefined) return ['there is no run log'];
  const logged = logTextOf(log);
  const text = textOf(events);
  return text === logged ? [] : [`it said ${JSON.stringify(text)}, the log has ${JSON.stringify(logged)}`];
}

function logTextOf({ frames }: LogFacts): string {
  return frames.map((frame) => (frame.type === 'token' ? frame.data.t : '')).join('');
}

interface Whole {
  choices?: { message?: { content: string }; text?: string; finish_reason: string }[];
  usage?: { completion_tokens: number };
}

function wholeProblems(whole: string, saying: Saying, log: LogFacts | undefined): string[] {
  const { choices, usage } = JSON.parse(whole) as Whole;
  const [choice] = choices ?? [];
  const text = choice?.message?.content ?? choice?.text;
  return [
    ...(text === saying.text ? [] : [`it said ${String(text)}, undisturbed it says ${saying.text}`]),
    ...(usage?.completion_tokens === saying.tokensOut
      ? []
      : [`it counts ${usage?.completion_tokens} tokens`]),
    ...(choice?.finish_reason === saying.finishReason ? [] : [`it finished by ${choice?.finish_reason}`]),
    ...(log !== undefined && logTextOf(log) === saying.text ? [] : ['the run log says something else']),
  ];
}
