/**
 * The sessions as tasks and clients use them (docs/decisions/0009). A task whose session bears the task's own id is alone
 * in it: it has nothing to share, and asks nobody.
 */
import { DroverError } from '../../contracts/errors.js';
import type { SessionView } from '../../contracts/session.js';
import type { Settings } from '../../contracts/settings.js';
import type { Transcript } from '../../contracts/artifact.js';
import type { SessionRecord, Sessions, TaskUse } from '../../store/sessions.js';
import type { Logger } from '../../telemetry/logger.js';
import { invalidParams } from '../plugins/invalid-params.js';

/** What sessions may use; undefined: as much as they like. */
export interface SessionLimits {
  ttlMs: number;
  turns: number | undefined;
  tokens: number | undefined;
  timeMs: number;
  cost: number | undefined;
  /** Of a token that is put out. */
  tokenPrice: number;
}

/** The limits that are set. */
export function sessionLimits(settings: Settings): SessionLimits {
  const { DROVER_SESSION_TURN_LIMIT: turns } = settings;
  return {
    ttlMs: settings.DROVER_SESSION_TTL_MS,
    turns: turns === 0 ? undefined : turns,
    tokens: settings.DROVER_SESSION_TOKENS_BUDGET,
    timeMs: settings.DROVER_SESSION_TIME_BUDGET_MS,
    cost: settings.DROVER_SESSION_COST_BUDGET,
    tokenPrice: settings.DROVER_TOKEN_PRICE,
  };
}

/** What the book works with. */
export interface SessionBookDeps {
  sessions: Sessions;
  limits: SessionLimits;
  log: Pick<Logger, 'warn'>;
  now: () => number;
}

/** Which task of which session. */
export interface SessionTask {
  task_id: string;
  session_id: string;
}

/** A turn that a task has. */
export interface Turn {
  /** The task was not accepted after all. Never fails: a turn that is lost so comes back when the session ends. */
  giveBack: () => Promise<void>;
}

/** The sessions. */
export interface SessionBook {
  /** @param create - make it where it is missing; else @throws DroverError SESSION_NOT_FOUND */
  read: (id: string, create: boolean) => Promise<SessionView>;
  /** Again changes nothing. */
  remove: (id: string) => Promise<void>;
  /**
   * Takes a turn for a task; the same task again has the same turn.
   * @throws DroverError INVALID_PARAMS when all turns are used up; STORE_UNAVAILABLE when nobody can tell
   */
  takeTurn: (task: SessionTask) => Promise<Turn>;
  /** A task's first token went by. */
  firstToken: (taskId: string) => void;
  /** A task has ended; again changes nothing. */
  ended: (taskId: string, transcript: Transcript) => Promise<void>;
}

/** Builds the book. */
export function createSessionBook({ sessions, limits, log, now }: SessionBookDeps): SessionBook {
  return {
    async read(id, create) {
      const askedAtMs = now();
      const session = create ? await sessions.open(id) : await sessions.find(id);
      if (session === undefined) throw new DroverError('SESSION_NOT_FOUND', 'there is no such session');
      return viewOf(session, limits, askedAtMs);
    },
    remove: (id) => sessions.remove(id),
    async takeTurn({ task_id, session_id }) {
      if (session_id === task_id) return NO_TURN;
      const taken = await sessions
        .takeTurn({ sessionId: session_id, taskId: task_id, limit: limits.turns })
        .catch((err: unknown) => {
          if (limits.turns !== undefined || !(err instanceof DroverError)) throw err;
          log.warn(
            { event: 'turn_uncounted', task_id, err },
            'a turn cannot be counted, and none is limited',
          );
          return 'held';
        });
      if (taken === 'exhausted') throw outOfTurns(limits.turns);
      if (taken === 'held') return NO_TURN;
      return {
        giveBack: () =>
          sessions.giveBackTurn(task_id).catch((err: unknown) => {
            log.warn({ event: 'turn_kept', task_id, err }, 'the turn of a refused task cannot be given back');
          }),
      };
    },
    firstToken(taskId) {
      sessions.warm(taskId).catch((err: unknown) => {
        log.warn({ event: 'session_not_warmed', task_id: taskId, err }, 'the end of the task will tell');
      });
    },
    ended: (taskId, transcript) => sessions.settle(taskId, useOf(transcript, limits)),
  };
}

const NO_TURN: Turn = { giveBack: () => Promise.resolve() };

function outOfTurns(limit = 0): DroverError {
  const message = `the session has used its turn limit of ${limit} tasks; delete it, or take another`;
  return invalidParams([{ path: ['session_id'], code: 'custom', message }]);
}

function viewOf(session: SessionRecord, limits: SessionLimits, nowMs: number): SessionView {
  return {
    ttl_ms_remaining: Math.min(limits.ttlMs, session.expires_ms - nowMs),
    turns: session.turns,
    kv_bytes: 0, // Engines share what they cache among all sessions, and say nothing of each.
    kv_warmth: session.warm === 1,
    tokens_budget_remaining: left(limits.tokens, session.tokens_used),
    time_budget_remaining_ms: Math.max(0, limits.timeMs - session.time_used_ms),
    cost_budget_remaining: left(limits.cost, session.cost_used),
  };
}

function left(budget: number | undefined, used: number): number | null {
  return budget === undefined ? null : Math.max(0, budget - used);
}

/** What a task has used, as its stream tells (B-DP-093); one that did not complete is charged for what it put out. */
function useOf({ events }: Transcript, { tokenPrice }: SessionLimits): TaskUse {
  const { data } = events.at(-1) ?? {};
  const isEnd = data !== undefined && 'decode_time_ms' in data;
  const tokens = isEnd ? data.tokens_out : events.filter(({ type }) => type === 'token').length;
  return { tokens, timeMs: isEnd ? data.decode_time_ms : 0, cost: tokens * tokenPrice };
}
