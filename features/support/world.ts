/**
 * What a scenario has in hand: its stack, its requests, its tasks and readers by the names that it gives them, and an
 * operator's view. A step is one call here; what came back wrong and was looked at by nobody fails the scenario.
 */
import type { PreparedEngine } from '../../contracts/pool.js';
import type { Program } from '../../testing/program.js';
import type { Answer, ApiClient } from './api-client.js';
import { CommandLine } from './command-line.js';
import type { FileKeyApi } from './file-key-api.js';
import { KeyHolder } from './key-holder.js';
import { Operator } from './operator.js';
import { ReaderBook } from './reader-book.js';
import { Requests } from './requests.js';
import { theRun } from './run.js';
import { SshNodes } from './ssh-nodes.js';
import { PRELOAD_WAIT_MS } from './engines.js';
import { PRELOAD_PATH, type Stack, type StackWish } from './stack.js';
import { ENDLESS, TaskBook } from './task-book.js';
import type { TemporalView } from './temporal-view.js';
import { runUndisturbed } from './undisturbed.js';
import { valueOf } from './values.js';

/** A table of two columns. */
interface Table {
  rowsHash(): Record<string, string>;
}

/** World of one scenario. */
export class DroverWorld {
  readonly http = new Requests(
    () => this.client,
    (text) => this.fill(text),
  );
  readonly tasks = new TaskBook(this.http, () => this.client);
  readonly readers = new ReaderBook(
    () => this.client,
    (task) => this.tasks.of(task).id,
  );
  /** Commands at a terminal. */
  readonly cli = new CommandLine(
    () => this.stack,
    (text) => this.fill(text),
  );
  /** Keys that the scenario has made. */
  readonly keys = new KeyHolder(this.http);
  /** Machines that the scenario adds to the registry. */
  readonly sshNodes = new SshNodes();
  /** An API of the scenario's own, whose keys stand in a file. */
  fileKeys: FileKeyApi | undefined;
  /** Where the engine of somebody else answers. */
  othersUrl = '';
  private chosen: Stack | undefined;
  private operatorOfStack: Operator | undefined;
  private readonly extraPrograms: Program[] = [];

  /** The stack of this scenario: the shared one unless it asked for another. */
  get stack(): Stack {
    this.chosen ??= theRun().stacks.shared;
    return this.chosen;
  }

  /** Client of the newest API. */
  get client(): ApiClient {
    return this.stack.mustApi().client;
  }

  /** What operators see of the stack. */
  get operator(): Operator {
    this.operatorOfStack ??= new Operator(this.stack, this.http);
    return this.operatorOfStack;
  }

  /** Temporal as an operator sees it. */
  get temporal(): TemporalView {
    return this.operator.temporal;
  }

  /** Takes a stack with these settings, shared with scenarios that wish the same. */
  async useStack(wish: StackWish): Promise<void> {
    this.chosen = await theRun().stacks.borrow(wish);
  }

  /** Takes a stack that no other scenario has touched or will touch. */
  async useFreshStack(wish: StackWish): Promise<void> {
    this.chosen = await theRun().stacks.fresh(wish);
  }

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

  /** `<a>` in a scenario's text stands for the id of its task "a", `<node>` for the node's, `<key>` for the key. */
  fill(text: string): string {
    const known: Record<string, string> = {
      node: this.stack.nodeId,
      key: this.stack.key,
      engine_version: this.stack.engineVersion,
    };
    return text.replace(
      /<([\w-]+)>/g,
      (whole, name: string) => this.tasks.knownId(name) ?? known[name] ?? whole,
    );
  }

  /** A table's cells as text, `<…>` filled in. */
  filled(table: Table): Record<string, string> {
    return Object.fromEntries(Object.entries(table.rowsHash()).map(([key, text]) => [key, this.fill(text)]));
  }

  /** A table's cells as values: JSON where they read as JSON. */
  expected(table: Table): Record<string, unknown> {
    return Object.fromEntries(Object.entries(this.filled(table)).map(([key, text]) => [key, valueOf(text)]));
  }

  /** Posts a task and expects it to be accepted. */
  admitTask(name: string, overrides: Record<string, unknown> = {}): Promise<void> {
    return this.tasks.admit(name, overrides);
  }

  /** Takes the only slot with a task that does not end by itself. */
  occupySlot(name: string): Promise<void> {
    return this.tasks.occupySlot(name);
  }

  /** Orders a preload; the answer is the scenario's last one, whatever it is. */
  tryPreload(prepared: PreparedEngine, healthTimeoutMs: number): Promise<Answer> {
    const body = { prepared, wait_ms: PRELOAD_WAIT_MS, health_timeout_ms: healthTimeoutMs };
    return this.http.send('POST', PRELOAD_PATH, { body });
  }

  /** Cancels a task; its stream then ends as it must. */
  cancel(name: string): Promise<Answer> {
    this.readers.expectEnd(name);
    return this.http.send('POST', `/v2/tasks/${this.tasks.of(name).id}/cancel`);
  }

  /** What a task says when nothing happens to it, by default as far as it was asked to. */
  async undisturbedText(name: string, max_tokens = this.tasks.of(name).body['max_tokens']): Promise<string> {
    return (await runUndisturbed({ ...this.tasks.of(name).body, max_tokens })).text;
  }

  /** The pace of this scenario's engine, measured now. */
  async msPerToken(name = 'pace'): Promise<number> {
    await this.tasks.admit(name, { ...ENDLESS, max_tokens: 40 });
    const { data } = await (await this.readers.readToEnd(name)).waitForFrame('end');
    return Number(data['decode_ms']) / Number(data['tokens_out']);
  }

  /** What went wrong without anybody looking: a refused request, an `error` frame, a process that died. */
  unexpected(): string | undefined {
    const died = (this.chosen?.crashed ?? []).map(({ name, lastWords }) => `${name} died:\n${lastWords}`);
    const all = [...this.http.unexpected(), ...this.readers.unexpected(), ...died];
    return all.length === 0 ? undefined : `nobody asserted this:\n${all.join('\n')}`;
  }

  /** Leaves nothing behind for the next scenario: no reader, no task, no broken stack. */
  async end(): Promise<void> {
    this.readers.leaveAll();
    await this.cli.endAll();
    await Promise.all(this.extraPrograms.map((program) => program.stop()));
    await this.sshNodes.stop();
    if (this.chosen === undefined) return;
    const { stacks } = theRun();
    if (this.chosen.crashed.length > 0 && this.chosen !== stacks.shared) stacks.spoil(this.chosen);
    if (!stacks.isSpoiled(this.chosen)) await this.tasks.endAll();
    await stacks.endSpoiled();
  }
}
