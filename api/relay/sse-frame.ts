/** Frames as server-sent events (B-STR-021): `id`, `event`, one line of `data`, an empty line. */
import type { ErrorEnvelope } from '../../contracts/errors.js';
import type { Frame, MetricsData } from '../../contracts/events.js';

/** Text of a frame; `verbose` adds words to `metrics` frames and changes nothing else (B-DP-105). */
export function sseFrame(frame: Frame, verbose = false): string {
  const data =
    verbose && frame.type === 'metrics'
      ? { ...frame.data, phase: 'decode', human: inWords(frame.data.tokens_out, frame.data.queue_depth) }
      : frame.data;
  return `id: ${frame.offset}\nevent: ${frame.type}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** How far the preparation of a task is: no part of its log, so it has no id, and a client resumes as if it had not come. */
export function ssePreparation(figures: MetricsData, verbose = false): string {
  const human = Object.values(figures.prep ?? {})
    .filter(({ status }) => status !== 'completed')
    .map((step) => step.human)[0];
  const words = verbose ? { phase: 'prepare', ...(human === undefined ? {} : { human }) } : {};
  return `event: metrics\ndata: ${JSON.stringify({ ...figures, ...words })}\n\n`;
}

/** An error that is no part of the log: without an id, so that a client resumes after the last frame it has. */
export function sseError(envelope: ErrorEnvelope): string {
  return `event: error\ndata: ${JSON.stringify(envelope)}\n\n`;
}

function inWords(tokensOut: number, queueDepth: number): string {
  const waiting = queueDepth === 1 ? '1 task waits' : `${queueDepth} tasks wait`;
  return `decodes, ${tokensOut} tokens so far; ${waiting}`;
}
