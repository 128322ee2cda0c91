/**
 * A client that does not give up: it posts its tasks one after the other, repeats what got no answer with the same id and
 * body, reads each stream to its end through whichever API is there, and writes down all that it saw.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from './clock.js';
import type { Draw } from './draw.js';
import type { PlannedTask } from './plan.js';
import { conflictingRequestOf, requestOf, resumePath, type PlannedRequest } from './requests.js';
import { closingOf, eventsOf, newStory, newVisit, taskIdOf, type Exchange, type Story } from './story.js';
import type { StreamWish, Wire } from './wire.js';

/** What clients share. */
export interface ClientDeps {
  wire: Wire;
  clock: Clock;
  /** Addresses of the APIs; one that has just died may still be among them. */
  doors: () => readonly string[];
  /** Told of a task's first request the moment it is sent. */
  onPost: (task: string, door: string) => void;
  /** When the last task is given up, by the clock. */
  endsAtMs: number;
}

/** Between two tries: long enough for a machine with two cores to start an API meanwhile. */
const PAUSE_MS = { least: 20, most: 250 };
/** Nobody waits longer for the end of a task: an engine is back within seconds, and a lost worker's work within 20 s. */
export const TASK_LIMIT_MS = 90_000;
/** Statuses that ask the client to come again. */
const COME_AGAIN = [429, 503];

/** Plays one client's tasks. */
export class Client {
  readonly stories: Story[] = [];
  private givesUpAtMs = 0;

  constructor(
    private readonly deps: ClientDeps,
    private readonly draw: Draw,
  ) {}

  /** Plays them in order; never rejects for what the stack does. */
  async play(tasks: readonly PlannedTask[]): Promise<void> {
    for (const task of tasks) {
      await this.deps.clock.reaches(task.notBeforeMs);
      const story = newStory(task);
      this.stories.push(story);
      this.givesUpAtMs = Math.min(this.deps.clock.nowMs + TASK_LIMIT_MS, this.deps.endsAtMs);
      await this.playTask(story);
    }
  }

  private async playTask(story: Story): Promise<void> {
    const { task } = story;
    if (task.route === 'v2' || !task.stream) {
      if (!(await this.admit(story))) return;
      await Promise.all([
        task.conflict ? this.conflict(story) : undefined,
        task.stream ? this.readAll(story) : undefined,
        task.cancelAfterTokens === 0 ? this.cancel(story) : undefined,
      ]);
    } else {
      await this.readAll(story);
      if (task.conflict) await this.conflict(story);
    }
  }

  /** True once somebody has accepted the task. */
  private async admit(story: Story): Promise<boolean> {
    const { task } = story;
    const request = requestOf(task);
    for (let first = true; ; first = false) {
      const doors = first && task.twice ? [this.door(), this.door()] : [this.door()];
      if (first) this.deps.onPost(task.name, doors[0] ?? '');
      const answers = await Promise.all(doors.map((door) => this.deps.wire.send(door, 'POST', request)));
      story.posts.push(...answers);
      const accepted = answers.find(({ status }) => status === 202 || status === 200);
      if (accepted !== undefined) {
        if (accepted.status === 200) story.whole = accepted.text;
        return true;
      }
      const refusal = answers.find(({ status }) => status !== undefined && !COME_AGAIN.includes(status));
      if (refusal !== undefined) return this.giveUp(story, `refused: ${refusal.status} ${refusal.text}`);
      if (task.walksAway) return false;
      if (this.isLate()) return this.giveUp(story, 'nobody accepted the task');
      await this.pause(answers.some(({ status }) => status !== undefined));
    }
  }

  /** Reads the stream to its end, coming back as often as it breaks. */
  private async readAll(story: Story): Promise<void> {
    let cancelling: Promise<void> | undefined;
    const cancelInTime = (): void => {
      const { cancelAfterTokens } = story.task;
      if (cancelAfterTokens === null || cancelAfterTokens === 0) return;
      // The first event is `started`.
      if (eventsOf(story).length > cancelAfterTokens) cancelling ??= this.cancel(story);
    };
    do {
      await this.visit(story, cancelInTime);
    } while (await this.comesAgain(story));
    await cancelling;
  }

  private async visit(story: Story, onEvent: () => void): Promise<void> {
    const { task, visits } = story;
    const leaveAfter = task.leaveAfterFrames[visits.length] ?? Infinity;
    const wish = streamWishOf(story);
    const after = eventsOf(story).findLast(({ id }) => id !== undefined)?.id;
    const visit = newVisit(this.door(), after, this.deps.clock.nowMs);
    if (visits.length === 0 && task.route !== 'v2') this.deps.onPost(task.name, visit.door);
    visits.push(visit);
    const limitMs = Math.max(0, this.givesUpAtMs - this.deps.clock.nowMs);
    await this.deps.wire.read(visit, wish, limitMs, () => {
      onEvent();
      return visit.events.length >= leaveAfter && closingOf(visit.events) === undefined;
    });
  }

  /** False once the story is over, one way or the other; else waits as long as such a client would. */
  private async comesAgain(story: Story): Promise<boolean> {
    const { status, why, end } = story.visits.at(-1) ?? {};
    if (closingOf(eventsOf(story)) !== undefined) return false;
    const mayComeAgain = status === undefined || status === 200 || COME_AGAIN.includes(status);
    if (!mayComeAgain) return this.giveUp(story, `no stream: ${status} ${why ?? ''}`);
    if (this.isLate()) return this.giveUp(story, 'the stream did not end');
    if (end !== 'left') await this.pause(end === 'refused');
    return true;
  }

  private async cancel(story: Story): Promise<void> {
    const path = `/v2/tasks/${encodeURIComponent(story.task.name)}/cancel`;
    await this.insist(story.cancels, { path, headers: {}, body: {} });
  }

  private async conflict(story: Story): Promise<void> {
    await this.insist(story.conflicts, conflictingRequestOf(story.task));
  }

  /** Repeats a request until somebody answers it for good. */
  private async insist(answers: Exchange[], request: PlannedRequest): Promise<void> {
    for (;;) {
      const answer = await this.deps.wire.send(this.door(), 'POST', request);
      answers.push(answer);
      if ((answer.status !== undefined && !COME_AGAIN.includes(answer.status)) || this.isLate()) return;
      await this.pause(answer.status !== undefined);
    }
  }

  /** Whoever was answered was told to wait a second; whoever was not looks for another door soon. */
  private async pause(wasAnswered: boolean): Promise<void> {
    await delay(wasAnswered ? 1_000 : this.draw.between(PAUSE_MS.least, PAUSE_MS.most));
  }

  private door(): string {
    return this.draw.pick(this.deps.doors());
  }

  private isLate(): boolean {
    return this.deps.clock.nowMs > this.givesUpAtMs;
  }

  private giveUp(story: Story, problem: string): false {
    story.problem = problem;
    return false;
  }
}

/** A stream is opened by its address; one of OpenAI's words by the POST that asks for it, until its id is known. */
function streamWishOf(story: Story): StreamWish {
  const { task } = story;
  if (task.route === 'v2')
    return { method: 'GET', path: `/v2/tasks/${encodeURIComponent(task.name)}/events` };
  const id = taskIdOf(story);
  if (id === undefined || task.resumeBy === 'post') return { method: 'POST', ...requestOf(task) };
  return { method: 'GET', path: resumePath(task, id) };
}
