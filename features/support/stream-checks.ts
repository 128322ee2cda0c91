/** What must be true of a stream, checked frame by frame; each check answers with what is wrong, in words. */
import type { EventReader, SseFrame } from './event-reader.js';

/** Wrong in the order of the frames: `started` first, tokens counted from 0, one closing frame last (B-DP-124). */
export function orderProblems(reader: EventReader): string[] {
  const kinds = reader.frames.map(({ event }) => event);
  const closing = kinds.filter((kind) => kind === 'end' || kind === 'error').length;
  return [
    ...(kinds[0] === 'started' && kinds.lastIndexOf('started') === 0 ? [] : [`started: ${kinds.join(' ')}`]),
    ...(closing === 1 && ['end', 'error'].includes(kinds.at(-1) ?? '') ? [] : [`close: ${kinds.join(' ')}`]),
    ...countProblems(reader, 0),
    ...idProblems(reader),
    ...kinds.filter((kind) => !KINDS.has(kind)).map((kind) => `unknown frame ${kind}`),
  ];
}

const KINDS = new Set(['started', 'token', 'metrics', 'end', 'error']);

/** Wrong in the tokens' numbers: they count from `first` on by one. */
export function countProblems(reader: EventReader, first: number): string[] {
  return reader.tokens.flatMap(({ i }, index) =>
    i === first + index ? [] : [`token ${first + index} has i ${i}`],
  );
}

/** Wrong in the ids: each is larger than the one before it. */
function idProblems(reader: EventReader): string[] {
  const ids = reader.frames.map(({ id }) => Number(id));
  return ids.flatMap((id, index) =>
    index === 0 || id > (ids[index - 1] ?? NaN) ? [] : [`id ${id} at ${index}`],
  );
}

/** Wrong in the wire format: `id`, `event` and one line of `data`, nothing else (B-STR-021). */
export function formatProblems(reader: EventReader): string[] {
  const wellFormed = /^id: \d+\nevent: \w+\ndata: \{.*\}$/;
  return reader.frames
    .filter(({ raw }) => !wellFormed.test(raw) || raw.includes('\uFFFD'))
    .map(({ raw }) => raw);
}

/** The text of frames from an id on, byte for byte as they came. */
export function bytesFrom(frames: readonly SseFrame[], firstId = 0): string {
  return frames
    .filter(({ id }) => Number(id) >= firstId)
    .map(({ raw }) => `${raw}\n\n`)
    .join('');
}

/** Frames of both, in the order they came: what a client has that left and came back. */
export function joined(readers: readonly EventReader[]): SseFrame[] {
  return readers.flatMap(({ frames }) => frames);
}

/** Smallest pause between two frames of a kind, in ms of the reader's clock. */
export function smallestPauseMs(reader: EventReader, event: string): number {
  const times = reader.framesOf(event).map(({ at }) => at);
  return Math.min(...times.slice(1).map((at, index) => at - (times[index] ?? at)));
}
