/** Many streams at the same time, begun at a pace that a server takes. */
import type { Answer } from './answer.js';
import type { Subject, Wish } from './subjects.js';

/** Streams that wait for their first token at the same time; the others wait their turn. */
const BEGINNING_AT_ONCE = 16;

/** What came of them. */
export interface Streams {
  answers: readonly Answer[];
  /** Most that were open at the same time. */
  most: number;
}

/** Opens `count` streams and reads them to their ends. */
export async function readStreams(subject: Subject, count: number, wish: Wish): Promise<Streams> {
  const reading: Promise<Answer>[] = [];
  let [open, most] = [0, 0];
  async function beginInTurn(): Promise<void> {
    while (reading.length < count) {
      await new Promise<void>((begun, failed) => {
        const answer = subject(wish, () => {
          open += 1;
          most = Math.max(most, open);
          begun();
        });
        reading.push(answer);
        answer.then(() => (open -= 1), failed);
      });
    }
  }
  await Promise.all(Array.from({ length: Math.min(count, BEGINNING_AT_ONCE) }, beginInTurn));
  return { answers: await Promise.all(reading), most };
}
