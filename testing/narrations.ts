/** What a program under test narrates: a logger that keeps it, and what may be asked of it (B-NARR-012). */
import assert from 'node:assert/strict';
import { createLogger, type Logger } from '../telemetry/logger.js';
import type { Story, StoryFields } from '../telemetry/narration.js';

/** A narrated line of the log. */
export type Told = Story & StoryFields & Readonly<Record<string, unknown>>;

/** One listener; every test and scenario makes its own, so that those that run side by side do not mix. */
export class Narrations {
  /** Lines of any kind, narrated or not. */
  readonly lines: Readonly<Record<string, unknown>>[] = [];
  readonly log: Logger;

  constructor(component = 'test') {
    const write = (line: string) =>
      void this.lines.push(JSON.parse(line) as Readonly<Record<string, unknown>>);
    this.log = createLogger(component, 'debug', { write });
  }

  /** What was narrated, in its order. */
  get told(): Told[] {
    return this.lines.filter((line) => typeof line['human'] === 'string') as Told[];
  }

  /** The last that was told of an action. */
  of(action: string): Told {
    const told = this.told.findLast((line) => line.action === action);
    return told ?? assert.fail(`nobody told of ${action}: ${this.told.map((line) => line.action).join()}`);
  }

  /** Its sentence is as asked. */
  says(action: string, words: RegExp): void {
    assert.match(this.of(action).human, words);
  }

  /** It has these fields. */
  has(action: string, fields: Readonly<Record<string, unknown>>): void {
    const told: Readonly<Record<string, unknown>> = this.of(action);
    const found = Object.fromEntries(Object.keys(fields).map((name) => [name, told[name]]));
    assert.deepEqual(found, fields);
  }

  /** It belongs to this request. */
  belongsTo(action: string, correlationId: string): void {
    this.has(action, { correlation_id: correlationId });
  }

  /** It says which program emitted it, and when. */
  hasProvenance(action: string, component = 'test'): void {
    const { emitted_by = '', emitted_at_ms = 0 } = this.of(action);
    assert.match(emitted_by, new RegExp(`^drover-${component}@\\d`));
    assert.ok(Number.isInteger(emitted_at_ms) && emitted_at_ms > 0, String(emitted_at_ms));
  }

  /** Forgets everything, between two scenarios. */
  clear(): void {
    this.lines.length = 0;
  }
}
