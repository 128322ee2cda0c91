/** What tasks say when nobody disturbs them, asked once for each wish, before anything is struck. */
import type { Saying } from './facts.js';
import { taskIdOfCompletion } from './story.js';
import { undisturbedRequest, wishKey, type Wish } from './requests.js';
import type { Wire } from './wire.js';

interface Completion {
  id: string;
  choices: { message?: { content: string }; text?: string; finish_reason: string }[];
  usage: { completion_tokens: number };
}

/** Sayings by wish, kept for later seeds: the model is the same. */
export class Undisturbed {
  readonly sayings = new Map<string, Saying>();
  /** Ids of the completions that were asked for. */
  readonly ids = new Set<string>();

  /** Asks for what is not known yet, one after the other. @throws Error when one is not answered */
  async learn(wishes: readonly Wish[], wire: Wire, door: string): Promise<void> {
    for (const wish of wishes) {
      const key = wishKey(wish);
      if (this.sayings.has(key)) continue;
      const { id, saying } = await ask(wish, wire, door);
      this.sayings.set(key, saying);
      this.ids.add(id);
    }
  }
}

async function ask(wish: Wish, wire: Wire, door: string): Promise<{ id: string; saying: Saying }> {
  const { status, text } = await wire.send(door, 'POST', undisturbedRequest(wish, 'fast'));
  if (status !== 200) throw new Error(`the undisturbed run of ${wishKey(wish)}: ${status} ${text}`);
  const { id, choices, usage } = JSON.parse(text) as Completion;
  const [choice] = choices;
  const saying = {
    text: choice?.message?.content ?? choice?.text ?? '',
    tokensOut: usage.completion_tokens,
    finishReason: choice?.finish_reason ?? '',
  };
  return { id: taskIdOfCompletion(id) ?? id, saying };
}
