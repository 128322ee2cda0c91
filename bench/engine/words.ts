/**
 * What the bench's engine is asked and what it says. A prompt names the task that it belongs to, and every token says
 * which task it is for, which token it is and when it was emitted: so a reader can tell a wrong text and how late it is.
 * The id of a character is its code; that of a token is the microsecond at which it was said, so that an engine which has
 * never said it can still spell it, and say the next one.
 */

/** A prompt is this long, so that every way to the engine carries the same payload. */
const PROMPT_CHARACTERS = 256;
const FILLER = 'Tell me what the sea is like when the wind comes from the west and the light goes. ';

/** What a prompt that names no task is answered for, as a probe's. */
export const NO_TASK = 0;
/** Ids from here on are tokens that were said; below are characters. */
const FIRST_SAID_ID = 1_000;

/** One token, as the engine said it. */
export interface SpokenToken {
  task: number;
  index: number;
  /** When it was emitted: {@link nowMs} of the engine's process. */
  atMs: number;
}

/** Milliseconds of the machine's monotonic clock, which all its processes share. */
export function nowMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

/** Prompt of a task. */
export function promptOf(task: number): string {
  const head = `#${task}# `;
  const repeated = FILLER.repeat(Math.ceil(PROMPT_CHARACTERS / FILLER.length));
  return head + repeated.slice(0, PROMPT_CHARACTERS - head.length);
}

/** One id a character: what `/tokenize` of the engine answers, and what a direct request sends. */
export function idsOf(text: string): number[] {
  return Array.from({ length: text.length }, (_, at) => text.charCodeAt(at));
}

/** Task that a prompt names; undefined where it names none, as a probe's. */
export function taskOf(ids: readonly number[]): number | undefined {
  const characters = ids.filter((id) => id < FIRST_SAID_ID);
  const [, task] = /#(\d+)#/.exec(String.fromCharCode(...characters)) ?? [];
  return task === undefined ? undefined : Number(task);
}

/** A token's text. */
export function textOf({ task, index, atMs }: SpokenToken): string {
  return `${task}:${index}:${(microseconds(atMs) / 1e3).toFixed(3)} `;
}

/** A token's id. */
export function idOf({ atMs }: Pick<SpokenToken, 'atMs'>): number {
  return FIRST_SAID_ID + microseconds(atMs);
}

/** How many tokens of a prompt have been said: the next one's index. */
export function saidIn(ids: readonly number[]): number {
  return ids.filter((id) => id >= FIRST_SAID_ID).length;
}

/** The text of ids, as `/detokenize` answers it. */
export function spell(ids: readonly number[]): string {
  const task = taskOf(ids) ?? NO_TASK;
  let index = 0;
  const spellOne = (id: number) =>
    id < FIRST_SAID_ID
      ? String.fromCharCode(id)
      : textOf({ task, index: index++, atMs: (id - FIRST_SAID_ID) / 1e3 });
  return ids.map(spellOne).join('');
}

function microseconds(atMs: number): number {
  return Math.round(atMs * 1e3);
}

/** The tokens of a text, in order. @throws Error when it is none of the engine's */
export function tokensIn(text: string): SpokenToken[] {
  return text
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => {
      const [, task, index, atMs] = /^(\d+):(\d+):(\d+\.\d{3})$/.exec(word) ?? [];
      if (atMs === undefined) throw new Error(`not the engine's words: ${word.slice(0, 80)}`);
      return { task: Number(task), index: Number(index), atMs: Number(atMs) };
    });
}
