/** A scenario's requests and their answers; a refusal at which nobody looks fails the scenario. */
import { eventually } from '../../testing/changes.js';
import type { Answer, ApiClient, Ask } from './api-client.js';

/** Requests of one scenario. */
export class Requests {
  /** Answers to requests that were sent together, in the order of the requests. */
  answers: readonly Answer[] = [];
  private last: Answer | undefined;
  private readonly unseen = new Set<Answer>();

  /**
   * @param client - of the API that scenarios speak to now
   * @param fill - puts ids in for `<name>`
   */
  constructor(
    private readonly client: () => ApiClient,
    private readonly fill: (text: string) => string,
  ) {}

  /** Any request; the answer is the scenario's last one. */
  async send(method: string, path: string, ask: Ask = {}): Promise<Answer> {
    const answer = await this.client().request(method, path, ask);
    this.last = answer;
    if (answer.status >= 400) this.unseen.add(answer);
    return answer;
  }

  /** A request as scenarios write it: `GET /v2/pools`; a POST has an empty object as its body. */
  ask(request: string, ask: Ask = {}): Promise<Answer> {
    const [method = '', path = ''] = this.fill(request).split(' ');
    return this.send(method, path, method === 'POST' ? { body: {}, ...ask } : ask);
  }

  /** Sends a request many times at the same moment; the answers are in {@link answers}. */
  async askTogether(request: string, asks: readonly Ask[]): Promise<void> {
    this.answers = await Promise.all(asks.map((ask) => this.ask(request, ask)));
  }

  /** Asks until the answer is as wanted. */
  async askUntil(request: string, wanted: (answer: Answer) => boolean, ask: Ask = {}): Promise<void> {
    const reached = async () => (wanted(this.lookAt(await this.ask(request, ask))) ? true : undefined);
    await eventually(() => `another answer to ${request} than ${this.last?.text ?? ''}`, reached);
  }

  /** An answer, by default the last one, looked at: an error in it is the scenario's own business from now on. */
  lookAt(answer = this.last): Answer {
    if (answer === undefined) throw new Error('nothing has been asked yet');
    this.unseen.delete(answer);
    return answer;
  }

  /** Refusals at which nobody has looked. */
  unexpected(): string[] {
    return [...this.unseen].map(({ asked, status, text }) => `${asked}: ${status} ${text}`);
  }
}
