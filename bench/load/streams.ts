/** Many streams at the same time: begun at a pace that a server takes, held open together, ended together. */
import type { Answer } from './answer.js';
import type { HttpClient } from './http-client.js';
import type { Subject } from './subjects.js';

/** Streams that wait for their first token at the same time; the others wait their turn. */
const BEGINNING_AT_ONCE = 16;
/** More than a stream says before it is told to end, unless the machine is very slow; prompt and answer fit the context. */
const TOKENS = 700;

/** Streams to hold open. */
export interface StreamPlan {
  subject: Subject;
  /** Where they come from in the end. */
  engine: HttpClient;
  count: number;
  pauseMs: number;
}

/** Opens the streams, calls `whileOpen` when all of them run, ends them, and gives all that came. */
export async function holdStreams(plan: StreamPlan, whileOpen: () => Promise<void>): Promise<Answer[]> {
  const { subject, engine, count, pauseMs } = plan;
  const reading: Promise<Answer>[] = [];
  async function beginInTurn(): Promise<void> {
    while (reading.length < count) {
      await new Promise<void>((begun, failed) => {
        const answer = subject({ tokens: TOKENS, pauseMs }, begun);
        reading.push(answer);
        answer.catch(failed);
      });
    }
  }
  await Promise.all(Array.from({ length: Math.min(count, BEGINNING_AT_ONCE) }, beginInTurn));
  await whileOpen();
  await engine.send({ method: 'POST', path: '/release', body: {} });
  return Promise.all(reading);
}
