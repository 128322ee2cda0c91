/** What a client makes of a task's frames: every token once, in order, and an end that agrees with them. */
import type { z } from 'zod';
import { endData, metricsData, startedData, tokenData, type StepProgress } from '../../contracts/events.js';
import { CliError } from './cli-error.js';
import type { StreamEvent } from './event-stream.js';
import type { Taken } from './follow.js';
import { anyEnvelope, errorOfEnvelope } from './refusal.js';

const preparing = metricsData.pick({ prep: true });

/** How a task ended. */
export type TaskEnd = z.infer<typeof endData>;

/** Told of what comes. */
export interface TaskListener {
  onStarted?: (started: z.infer<typeof startedData>) => void;
  onToken: (text: string) => void | Promise<void>;
  /** Told how far the pool of the task is, while it wakes for it; by the steps that are not over. */
  onPreparation?: (steps: readonly StepProgress[]) => void;
}

/** Reader of one task's stream, over all its connections. */
export class TaskReader {
  /** Undefined until the task has ended well. */
  end: TaskEnd | undefined;
  /** True when a frame has come. */
  hasStarted = false;
  private frames = 0;

  constructor(private readonly listener: TaskListener) {}

  /** Number of token frames so far. */
  get tokenFrames(): number {
    return this.frames;
  }

  /** Takes a frame; one of an unknown kind is nothing (B-SSEC-006). @throws CliError */
  async take(event: StreamEvent): Promise<Taken> {
    switch (event.event) {
      case 'started':
        return this.started(event);
      case 'token':
        return this.token(event);
      case 'metrics':
        return this.metrics(event);
      case 'end':
        this.end = dataOf(event, endData);
        return 'last';
      case 'error':
        return failed(event);
      default:
        return 'nothing';
    }
  }

  private started(event: StreamEvent): Taken {
    const data = dataOf(event, startedData);
    if (this.hasStarted) return 'nothing';
    this.hasStarted = true;
    this.listener.onStarted?.(data);
    return 'new';
  }

  private metrics(event: StreamEvent): Taken {
    const { prep } = dataOf(event, preparing);
    if (prep !== undefined && !this.hasStarted)
      this.listener.onPreparation?.(Object.values(prep).filter(({ status }) => status !== 'completed'));
    return 'new';
  }

  private async token(event: StreamEvent): Promise<Taken> {
    const { t, i } = dataOf(event, tokenData);
    if (i < this.frames) return 'nothing'; // It came before the connection was cut.
    if (i > this.frames) throw mismatch('a token is missing', this.frames, i);
    this.frames += 1;
    await this.listener.onToken(t);
    return 'new';
  }
}

/**
 * Looks whether the end agrees with what came (B-INF-036, B-INF-037, C-172).
 * @param asked - `max_tokens` of the task; undefined where it is not known
 * @throws CliError NO_TOKENS_GENERATED, TOKEN_COUNT_MISMATCH
 */
export function checkEnd(end: TaskEnd, tokenFrames: number, asked: number | undefined): void {
  const { tokens_out, stop_reason } = end;
  if (tokenFrames === 0) {
    throw CliError.of('NO_TOKENS_GENERATED', 'the task ended without a token', {
      details: { expected: '1 or more', actual: 0, stop_reason },
    });
  }
  // A frame may stand for several tokens, and never for none.
  if (tokenFrames > tokens_out)
    throw mismatch('more text came than tokens were made', tokens_out, tokenFrames);
  if (asked !== undefined && stop_reason === 'MAX_TOKENS' && tokens_out !== asked) {
    throw mismatch('another number of tokens was made than asked for', asked, tokens_out);
  }
}

function mismatch(message: string, expected: number, actual: number): CliError {
  return CliError.of('TOKEN_COUNT_MISMATCH', `${message}: expected ${expected}, got ${actual}`, {
    details: { expected, actual },
  });
}

/** An error without an id is no part of the log: where it may pass, the log goes on. */
function failed(event: StreamEvent): Taken {
  const envelope = dataOf(event, anyEnvelope);
  if (event.id === undefined && envelope.retriable === true) return 'again';
  throw errorOfEnvelope(envelope);
}

/** An event's data. @throws CliError JSON_PARSE_ERROR */
export function dataOf<T extends z.ZodType>(event: StreamEvent, schema: T): z.infer<T> {
  const parsed = schema.safeParse(jsonOf(event));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const details = { event: event.event, field: issue?.path.join('.'), problem: issue?.message };
  throw CliError.of('JSON_PARSE_ERROR', `a frame "${event.event}" is not what it should be`, { details });
}

function jsonOf({ event, data }: StreamEvent): unknown {
  try {
    return JSON.parse(data);
  } catch (err) {
    const message = `a frame "${event}" is not JSON: ${err instanceof Error ? err.message : String(err)}`;
    throw CliError.of('JSON_PARSE_ERROR', message, { details: { event, expected: 'JSON' }, cause: err });
  }
}
