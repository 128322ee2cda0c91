/**
 * What a scenario has in hand: its stack, its tasks and readers by the names that the scenario gives them, the last
 * answer. A step is one call of a method here; whatever came back wrong and was looked at by nobody fails the scenario.
 */
import { randomUUID } from 'node:crypto';
import type { TaskStatus } from '../../contracts/task.js';
import { isTerminal } from '../../domain/task.js';
import { eventually } from '../../testing/changes.js';
import type { Program } from '../../testing/program.js';
import type { Answer, ApiClient, Ask, OpenStream } from './api-client.js';
import type { EventReader } from './event-reader.js';
import { parseMetrics, sumOf, type Metrics } from './metrics-text.js';
import { theRun } from './run.js';
import type { Stack, StackWish } from './stack.js';
import { TemporalView } from './temporal-view.js';

/** A task that the scenario has posted. */
export interface PostedTask {
  id: string;
  body: Record<string, unknown>;
  answer: Answer;
}

/** A task that says what it is about in a second; a scenario changes what matters to it. */
const USUAL_TASK = {
  session_id: 'features',
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

/** World of one scenario. */
export class DroverWorld {
  /** The last answer to a request. */
  answer: Answer | undefined;
  private chosen: Stack | undefined;
  private readonly tasks = new Map<string, PostedTask>();
  private readonly readers = new Map<string, EventReader>();
  private readonly extraPrograms: Program[] = [];
  private readonly unasserted = new Set<Answer>();
  private readonly assertedStreams = new Set<EventReader>();
  private metricsBefore: Metrics[] = [];

  /** The stack of this scenario: the shared one unless it asked for another. */
  get stack(): Stack {
    this.chosen ??= theRun().stacks.shared;
    return this.chosen;
  }

  /** Client of the newest API. */
  get client(): ApiClient {
    return this.stack.mustApi().client;
  }

  /** Takes a stack with these settings, shared with scenarios that wish the same. */
  async useStack(wish: StackWish): Promise<void> {
    this.chosen = await theRun().stacks.borrow(wish);
  }

  /** Takes a stack that no other scenario has touched or will touch. */
  async useFreshStack(wish: StackWish): Promise<void> {
    this.chosen = await theRun().stacks.fresh(wish);
  }

  // Requests

  /** Any request; the answer is the scenario's last one. */
  async request(method: string, path: string, ask: Ask = {}): Promise<Answer> {
    const answer = await this.client.request(method, path, ask);
    this.answer = answer;
    if (answer.status >= 400) this.unasserted.add(answer);
    return answer;
  }

  /** The last answer, looked at: an error in it is the scenario's own business from now on. */
  lookAtAnswer(): Answer {
    if (this.answer === undefined) throw new Error('nothing has been asked yet');
    this.unasserted.delete(this.answer);
    return this.answer;
  }

  // Tasks

  /** Posts a task under a fresh id, or under the id that the overrides give. */
  async postTask(name: string, overrides: Record<string, unknown> = {}, ask: Ask = {}): Promise<Answer> {
    const body = { task_id: `${name}-${randomUUID().slice(0, 8)}`, ...USUAL_TASK, ...overrides };
    const answer = await this.request('POST', '/v2/tasks', { ...ask, body });
    this.tasks.set(name, { id: body.task_id, body, answer });
    return answer;
  }

  /** Posts a task and expects it to be accepted. */
  async admitTask(name: string, overrides: Record<string, unknown> = {}): Promise<void> {
    const { status, text } = await this.postTask(name, overrides);
    if (status !== 202) throw new Error(`task "${name}" was answered with ${status}: ${text}`);
  }

  /** Posts the body of an earlier task again, some of it changed. */
  repostTask(name: string, changes: Record<string, unknown> = {}): Promise<Answer> {
    return this.request('POST', '/v2/tasks', { body: { ...this.task(name).body, ...changes } });
  }

  /** @throws Error when the scenario has no such task */
  task(name: string): PostedTask {
    const task = this.tasks.get(name);
    if (task === undefined) throw new Error(`no task "${name}" was posted`);
    return task;
  }

  /** Ids of the scenario's tasks, by name. */
  idOf(name: string): string {
    return this.task(name).id;
  }

  /** How a task stands; not the scenario's last answer. */
  async status(name: string): Promise<TaskStatus> {
    const answer = await this.client.request('GET', `/v2/tasks/${this.idOf(name)}`);
    if (answer.status !== 200) throw new Error(`status of "${name}": ${answer.status} ${answer.text}`);
    return answer.json as TaskStatus;
  }

  /** Waits until a task is in one of these states; a state that it cannot leave ends the wait. */
  async waitForState(name: string, states: readonly string[], withinMs?: number): Promise<TaskStatus> {
    let last: TaskStatus | undefined;
    const reached = async (): Promise<TaskStatus | undefined> => {
      last = await this.status(name);
      if (states.includes(last.state)) return last;
      if (isTerminal(last.state)) throw new Error(`task "${name}" is ${JSON.stringify(last)}`);
      return undefined;
    };
    return eventually(
      () => `"${name}" to be ${states.join(' or ')}: ${JSON.stringify(last)}`,
      reached,
      withinMs,
    );
  }

  /** Cancels a task. */
  cancel(name: string): Promise<Answer> {
    return this.request('POST', `/v2/tasks/${this.idOf(name)}/cancel`);
  }

  // Streams

  /** Opens a task's stream; the reader is known by `reader`, or by the task's name. */
  async openEvents(name: string, how: OpenStream = {}, reader = name): Promise<EventReader> {
    const opened = await this.client.openEvents(this.idOf(name), how);
    this.readers.set(reader, opened);
    return opened;
  }

  /** @throws Error when the scenario has no such reader */
  reader(name: string): EventReader {
    const reader = this.readers.get(name);
    if (reader === undefined) throw new Error(`no reader "${name}" was opened`);
    return reader;
  }

  /** A reader whose `error` frame is the scenario's own business. */
  lookAtStream(name: string): EventReader {
    const reader = this.reader(name);
    this.assertedStreams.add(reader);
    return reader;
  }

  // What operators see

  /** Temporal as an operator sees it. */
  get temporal(): TemporalView {
    const { stack } = this;
    return new TemporalView(theRun().temporal.connection, stack.namespace, stack.environment());
  }

  /** The metrics of API and node worker. */
  async metrics(): Promise<Metrics[]> {
    const pages = [`${this.client.url}/metrics`, `${this.stack.nodeUrl}/metrics`];
    return Promise.all(pages.map(async (url) => parseMetrics(await (await fetch(url)).text())));
  }

  /** From here on rises are counted. */
  async rememberMetrics(): Promise<void> {
    this.metricsBefore = await this.metrics();
  }

  /** By how much a metric has risen since, API and node worker together. */
  async riseOf(name: string, labels: Record<string, string> = {}): Promise<number> {
    const sum = (pages: readonly Metrics[]) =>
      pages.reduce((total, page) => total + sumOf(page, name, labels), 0);
    return sum(await this.metrics()) - sum(this.metricsBefore);
  }

  // Processes

  /** The scenario breaks something: its stack ends with it. */
  breakStack(): Stack {
    if (!theRun().stacks.isSpoiled(this.stack)) theRun().stacks.spoil(this.stack);
    return this.stack;
  }

  /** A process beside the stack's own, ended with the scenario. */
  startProgram(start: (stack: Stack) => Program): Program {
    const program = start(this.stack);
    this.extraPrograms.push(program);
    return program;
  }

  // The scenario's end

  /** What went wrong without anybody looking: a refused request, an `error` frame, a process that died. */
  unexpected(): string | undefined {
    const refused = [...this.unasserted].map(({ asked, status, text }) => `${asked}: ${status} ${text}`);
    const failed = [...this.readers]
      .filter(([, reader]) => reader.lastFrame?.event === 'error' && !this.assertedStreams.has(reader))
      .map(([name, reader]) => `the stream of "${name}": ${reader.lastFrame?.raw ?? ''}`);
    const broken = [...this.readers]
      .filter(([, reader]) => reader.brokeOff && !this.assertedStreams.has(reader))
      .map(([name]) => `the connection of "${name}" broke`);
    const died = (this.chosen?.crashed ?? []).map(({ name, lastWords }) => `${name} died:\n${lastWords}`);
    const all = [...refused, ...failed, ...broken, ...died];
    return all.length === 0 ? undefined : `nobody asserted this:\n${all.join('\n')}`;
  }

  /** Leaves nothing behind for the next scenario: no reader, no task, no broken stack. */
  async end(): Promise<void> {
    for (const reader of this.readers.values()) reader.leave();
    await Promise.all(this.extraPrograms.map((program) => program.stop()));
    if (this.chosen === undefined) return;
    const { stacks } = theRun();
    if (this.chosen.crashed.length > 0 && this.chosen !== stacks.shared) stacks.spoil(this.chosen);
    if (!stacks.isSpoiled(this.chosen)) await this.endTasks();
    await stacks.endSpoiled();
  }

  private async endTasks(): Promise<void> {
    const accepted = [...this.tasks.values()].filter(({ answer }) => answer.status === 202);
    await Promise.all(
      accepted.map(({ id }) => this.client.request('POST', `/v2/tasks/${encodeURIComponent(id)}/cancel`)),
    );
  }
}
