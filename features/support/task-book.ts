/** The tasks of a scenario, by the names that it gives them; their ids are fresh in every scenario. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { TaskStatus } from '../../contracts/task.js';
import { isTerminal } from '../../domain/task.js';
import { eventually } from '../../testing/changes.js';
import type { Answer, ApiClient, Ask } from './api-client.js';
import type { Requests } from './requests.js';

/** A task that the scenario has posted. */
export interface PostedTask {
  name: string;
  id: string;
  body: Record<string, unknown>;
  /** Undefined for a task that was not posted. */
  answer: Answer | undefined;
}

/** A task that says what it is about in a second; a scenario changes what matters to it. */
const USUAL_TASK = {
  workload: 'completion',
  model_ref: 'demo',
  engine: 'llamacpp',
  ctx: 0,
  priority: 'interactive',
  max_tokens: 200,
  deadline_ms: 600_000,
  prompt: 'Tell me about the sea.',
  // Greedy: the demo model then says its texts word for word.
  temperature: 0,
};

/** What makes a task endless: a topic that never stops; the context of a slot has room for these tokens of it. */
export const ENDLESS = { prompt: 'Tell me something endless.', max_tokens: 3900 } as const;

/** Tasks of one scenario. */
export class TaskBook {
  private readonly tasks = new Map<string, PostedTask>();

  constructor(
    private readonly http: Requests,
    private readonly client: () => ApiClient,
  ) {}

  /** Posts a task under a fresh id, or under the id that the overrides give. */
  async post(name: string, overrides: Record<string, unknown> = {}, ask: Ask = {}): Promise<Answer> {
    const task_id = `${name}-${randomUUID().slice(0, 8)}`;
    const body = { task_id, session_id: task_id, ...USUAL_TASK, ...overrides };
    const answer = await this.http.send('POST', '/v2/tasks', { ...ask, body });
    this.tasks.set(name, { name, id: body.task_id, body, answer });
    return answer;
  }

  /** Posts a task and expects it to be accepted. */
  async admit(name: string, overrides: Record<string, unknown> = {}): Promise<void> {
    const { status, text } = await this.post(name, overrides);
    if (status !== 202) throw new Error(`task "${name}" was answered with ${status}: ${text}`);
  }

  /** Gives a name to a task that the scenario did not post. */
  name(name: string, id: string): void {
    this.tasks.set(name, { name, id, body: {}, answer: undefined });
  }

  /** Posts tasks at the same moment, whatever the answers. */
  async postTogether(names: readonly string[], overrides: Record<string, unknown> = {}): Promise<void> {
    await Promise.all(names.map((name) => this.post(name, overrides)));
  }

  /** Takes the only slot with a task that does not end by itself. */
  async occupySlot(name: string, overrides: Record<string, unknown> = {}): Promise<void> {
    await this.admit(name, { ...ENDLESS, ...overrides });
    await this.waitForState(name, ['executing']);
  }

  /** Posts the body of an earlier task again, some of it changed. */
  repost(name: string, changes: Record<string, unknown> = {}): Promise<Answer> {
    return this.http.send('POST', '/v2/tasks', { body: { ...this.of(name).body, ...changes } });
  }

  /** @throws Error when the scenario has no such task */
  of(name: string): PostedTask {
    const task = this.tasks.get(name);
    if (task === undefined) throw new Error(`no task "${name}" was posted`);
    return task;
  }

  /** What a task was answered with. @throws Error when the scenario has not posted it */
  answerOf(name: string): Answer {
    const { answer } = this.of(name);
    if (answer === undefined) throw new Error(`"${name}" was not posted`);
    return answer;
  }

  /** The id of the task of this name; undefined where there is none. */
  knownId(name: string): string | undefined {
    return this.tasks.get(name)?.id;
  }

  /** The task that was posted last. */
  get last(): PostedTask {
    const last = [...this.tasks.values()].at(-1);
    if (last === undefined) throw new Error('no task was posted');
    return last;
  }

  /** How a task stands; not the scenario's last answer. */
  async status(name: string): Promise<TaskStatus> {
    const answer = await this.client().request('GET', `/v2/tasks/${this.of(name).id}`);
    if (answer.status !== 200) throw new Error(`status of "${name}": ${answer.status} ${answer.text}`);
    return answer.json as TaskStatus;
  }

  /** Waits until a task is in one of these states; a state that it cannot leave ends the wait. */
  waitForState(name: string, states: readonly string[], withinMs?: number): Promise<TaskStatus> {
    let last: TaskStatus | undefined;
    const reached = async (): Promise<TaskStatus | undefined> => {
      last = await this.status(name);
      if (states.includes(last.state)) return last;
      if (isTerminal(last.state)) throw new Error(`task "${name}" is ${JSON.stringify(last)}`);
      return undefined;
    };
    const what = () => `"${name}" to be ${states.join(' or ')}: ${JSON.stringify(last)}`;
    return eventually(what, reached, withinMs);
  }

  /** The tasks wait one behind the other, the first of them at `first`. @throws AssertionError where they do not */
  async shouldWaitAt(names: readonly string[], first: number): Promise<void> {
    const places = await Promise.all(names.map(async (name) => (await this.status(name)).queue_position));
    assert.deepEqual(
      places.map((place, index) => `${names[index] ?? ''} ${String(place)}`),
      names.map((name, index) => `${name} ${first + index}`),
    );
  }

  /** Cancels whatever may still run. */
  async endAll(): Promise<void> {
    const accepted = [...this.tasks.values()].filter(({ answer }) => answer?.status === 202);
    await Promise.all(
      accepted.map(({ id }) => this.client().request('POST', `/v2/tasks/${encodeURIComponent(id)}/cancel`)),
    );
  }
}
