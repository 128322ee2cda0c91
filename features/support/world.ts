/**
 * What a scenario has in hand: its stack, its tasks and readers by the names that the scenario gives them, the last
 * answer. A step is one call of a method here; whatever came back wrong and was looked at by nobody fails the scenario.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { TaskStatus } from '../../contracts/task.js';
import { isTerminal } from '../../domain/task.js';
import { eventually } from '../../testing/changes.js';
import type { Program } from '../../testing/program.js';
import type { Answer, ApiClient, Ask, OpenStream } from './api-client.js';
import type { EventReader, SseFrame } from './event-reader.js';
import { Meter, type Owner } from './meter.js';
import { ReaderBook } from './reader-book.js';
import { Requests } from './requests.js';
import { theRun } from './run.js';
import type { Stack, StackWish } from './stack.js';
import { TemporalView } from './temporal-view.js';
import { runUndisturbed } from './undisturbed.js';
import { valueOf } from './values.js';

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
  /** The scenario's requests. */
  readonly http = new Requests(
    () => this.client,
    (text) => this.fill(text),
  );
  /** Metrics that the scenario has read. */
  readings: Awaited<ReturnType<Meter['read']>>[] = [];
  private chosen: Stack | undefined;
  private readonly tasks = new Map<string, PostedTask>();
  private readonly readers = new ReaderBook();
  private readonly extraPrograms: Program[] = [];
  private meterOfStack: Meter | undefined;

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

  // Words and tables

  /** `<a>` in a scenario's text stands for the id of its task "a", `<node>` for the node's, `<key>` for the key. */
  fill(text: string): string {
    const known: Record<string, string> = { node: this.stack.nodeId, key: this.stack.key };
    return text.replace(
      /<([\w-]+)>/g,
      (whole, name: string) => this.tasks.get(name)?.id ?? known[name] ?? whole,
    );
  }

  /** A table's values: JSON where they read as JSON, ids put in for `<name>`. */
  expected(table: { rowsHash(): Record<string, string> }): Record<string, unknown> {
    return Object.fromEntries(
      Object.entries(table.rowsHash()).map(([key, text]) => [key, valueOf(this.fill(text))]),
    );
  }

  /** A table's labels: text as Prometheus has it. */
  labelsOf(table: { rowsHash(): Record<string, string> }): Record<string, string> {
    const version = this.stack.engineVersion;
    return Object.fromEntries(
      Object.entries(table.rowsHash()).map(([key, text]) => [
        key,
        text === "the pool's version" ? version : text,
      ]),
    );
  }

  // Tasks

  /** Posts a task under a fresh id, or under the id that the overrides give. */
  async postTask(name: string, overrides: Record<string, unknown> = {}, ask: Ask = {}): Promise<Answer> {
    const body = { task_id: `${name}-${randomUUID().slice(0, 8)}`, ...USUAL_TASK, ...overrides };
    const answer = await this.http.send('POST', '/v2/tasks', { ...ask, body });
    this.tasks.set(name, { id: body.task_id, body, answer });
    return answer;
  }

  /** Posts a task and expects it to be accepted. */
  async admitTask(name: string, overrides: Record<string, unknown> = {}): Promise<void> {
    const { status, text } = await this.postTask(name, overrides);
    if (status !== 202) throw new Error(`task "${name}" was answered with ${status}: ${text}`);
  }

  /** Posts tasks at the same moment, whatever the answers. */
  async postTogether(names: readonly string[], overrides: Record<string, unknown> = {}): Promise<void> {
    await Promise.all(names.map((name) => this.postTask(name, overrides)));
  }

  /** Takes the only slot with a task that does not end by itself. */
  async occupySlot(name: string): Promise<void> {
    await this.admitTask(name, { prompt: 'Tell me something endless.', max_tokens: 3900 });
    await this.waitForState(name, ['executing']);
  }

  /** Posts the body of an earlier task again, some of it changed. */
  repostTask(name: string, changes: Record<string, unknown> = {}): Promise<Answer> {
    return this.http.send('POST', '/v2/tasks', { body: { ...this.task(name).body, ...changes } });
  }

  /** @throws Error when the scenario has no such task */
  task(name: string): PostedTask {
    const task = this.tasks.get(name);
    if (task === undefined) throw new Error(`no task "${name}" was posted`);
    return task;
  }

  /** The task that was posted last, by its name. */
  get lastTask(): PostedTask & { name: string } {
    const last = [...this.tasks].at(-1);
    if (last === undefined) throw new Error('no task was posted');
    return { name: last[0], ...last[1] };
  }

  /** The id of the task of this name. */
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

  /** The tasks wait one behind the other, the first of them at `first`. @throws AssertionError where they do not */
  async shouldWaitAt(names: readonly string[], first: number): Promise<void> {
    const places = await Promise.all(
      names.map(async (name) => `${name} ${String((await this.status(name)).queue_position)}`),
    );
    assert.deepEqual(
      places,
      names.map((name, index) => `${name} ${first + index}`),
    );
  }

  /** Cancels a task. */
  cancel(name: string): Promise<Answer> {
    this.readers.expectEnd(name);
    return this.http.send('POST', `/v2/tasks/${this.idOf(name)}/cancel`);
  }

  // Streams

  /** Opens a task's stream; the reader is known by `reader`, or by the task's name. */
  async openEvents(name: string, how: OpenStream = {}, reader = name): Promise<EventReader> {
    const opened = await this.client.openEvents(this.idOf(name), how);
    this.readers.add(reader, opened);
    return opened;
  }

  /** Opens a task's stream and reads it to its end. */
  async readToEnd(name: string, how: OpenStream = {}, reader = name): Promise<EventReader> {
    const opened = await this.openEvents(name, how, reader);
    await opened.waitForClose();
    return opened;
  }

  /** The reader comes back with the id of the last frame it has. */
  resume(name: string, reader: string): Promise<EventReader> {
    const { lastEventId } = this.reader(reader);
    return this.openEvents(name, lastEventId === undefined ? {} : { lastEventId }, reader);
  }

  /** @throws Error when the scenario has no such reader */
  reader(name: string): EventReader {
    return this.readers.of(name);
  }

  /** A reader whose `error` frame is the scenario's own business. */
  lookAtStream(name: string): EventReader {
    return this.readers.lookAt(name);
  }

  /** All visits of a reader that left and came back. */
  visitsOf(name: string): readonly EventReader[] {
    return this.readers.visitsOf(name);
  }

  /** Name of the reader that came last. */
  get lastReader(): string {
    return this.readers.last;
  }

  /** The first frame of a stream, once it has come. */
  async firstFrame(name: string): Promise<SseFrame> {
    return this.reader(name).waitForAny((frame) => frame !== undefined);
  }

  /** What a task says when nothing happens to it, by default as far as it was asked to. */
  async undisturbedText(name: string, max_tokens = this.task(name).body['max_tokens']): Promise<string> {
    return (await runUndisturbed({ ...this.task(name).body, max_tokens })).text;
  }

  /** The pace of this scenario's engine, measured now. */
  async msPerToken(): Promise<number> {
    await this.admitTask('pace', { prompt: 'Tell me something endless.', max_tokens: 40 });
    const { data } = await (await this.readToEnd('pace')).waitForFrame('end');
    return Number(data['decode_ms']) / Number(data['tokens_out']);
  }

  // What operators see

  /** Temporal as an operator sees it. */
  get temporal(): TemporalView {
    const { stack } = this;
    return new TemporalView(stack.temporal.connection, stack.namespace, stack.environment());
  }

  /** The counters of API and node worker. */
  get meter(): Meter {
    this.meterOfStack ??= new Meter(this.stack);
    return this.meterOfStack;
  }

  /** The process whose log is read. */
  processOf(owner: Owner): Program {
    return owner === 'api' ? this.stack.mustApi().program : this.stack.mustNode();
  }

  /** Searches until the workflow of the task is found: Temporal's index is some moments behind. */
  async searchUntilFound(query: string, name: string): Promise<string[]> {
    const wanted = `task:${this.idOf(name)}`;
    const found = async () => {
      const ids = await this.temporal.search(query);
      return ids.includes(wanted) ? ids : undefined;
    };
    return eventually(() => `"${query}" to find ${wanted}`, found);
  }

  /** Sends a task's input to the codec endpoint, as Temporal's web UI does. */
  async decodeInput(name: string, secret: string): Promise<Answer> {
    const payloads = [await this.temporal.inputOfTask(this.idOf(name))];
    return this.http.send('POST', `/codec/${secret}/decode`, { key: null, body: { payloads } });
  }

  // Processes

  /** The scenario breaks something: its stack ends with it. */
  breakStack(): Stack {
    if (!theRun().stacks.isSpoiled(this.stack)) theRun().stacks.spoil(this.stack);
    return this.stack;
  }

  /** A process beside the stack's own, ended with the scenario. */
  startProgram(start: (stack: Stack) => Program): void {
    this.extraPrograms.push(start(this.stack));
  }

  /** The process that was started last. */
  get lastProgram(): Program {
    const program = this.extraPrograms.at(-1);
    if (program === undefined) throw new Error('no process was started');
    return program;
  }

  // The scenario's end

  /** What went wrong without anybody looking: a refused request, an `error` frame, a process that died. */
  unexpected(): string | undefined {
    const died = (this.chosen?.crashed ?? []).map(({ name, lastWords }) => `${name} died:\n${lastWords}`);
    const all = [...this.http.unexpected(), ...this.readers.unexpected(), ...died];
    return all.length === 0 ? undefined : `nobody asserted this:\n${all.join('\n')}`;
  }

  /** Leaves nothing behind for the next scenario: no reader, no task, no broken stack. */
  async end(): Promise<void> {
    this.readers.leaveAll();
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
