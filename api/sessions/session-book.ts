/**
 * The sessions as tasks and clients use them (docs/decisions/0009). A task whose session bears the task's own id is alone
 * in it: it has nothing to share, and asks nobody.
 */
import { DroverError } from '../../contracts/errors.js';
import type { RunOffer } from '../../contracts/node.js';
import type { Budgets, SessionView } from '../../contracts/session.js';
import type { Settings } from '../../contracts/settings.js';
import type { Transcript } from '../../contracts/artifact.js';
import {
  budgetsLeft,
  FRESH_SESSION,
  misfits,
  type SessionLimits,
  type SessionStanding,
  type TokenWish,
} from '../../domain/session-limits.js';
import type { SessionRecord, Sessions, TaskUse } from '../../store/sessions.js';
import type { Logger } from '../../telemetry/logger.js';
import type { AskedTask } from '../tasks/admit-task.js';
import { invalidParams } from '../plugins/invalid-params.js';

/** What sessions may use, and how long they last. */
export interface SessionRules extends SessionLimits {
  ttlMs: number;
}

/** The limits that are set. */
export function sessionLimits(settings: Settings): SessionRules {
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
  limits: SessionRules;
  log: Pick<Logger, 'warn'>;
  now: () => number;
}

/** What of a task matters to its session. */
export type SessionTask = Pick<AskedTask, 'fitContext'> & {
  request: Pick<AskedTask['request'], 'task_id' | 'session_id' | 'max_tokens' | 'expected_tokens'>;
};

/** A turn that a task has. */
export interface Turn {
  /** What its session has left before it; undefined where that is not known. */
  budgets?: NonNullable<RunOffer['budgets']>;
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
   * @throws DroverError INVALID_PARAMS when the session has no turn or budget left for it; STORE_UNAVAILABLE when nobody can tell
   */
  takeTurn: (task: SessionTask) => Promise<Turn>;
  /** What the session of an accepted task has left; undefined while nobody can tell. */
  budgets: (task: Pick<SessionTask['request'], 'task_id' | 'session_id'>) => Promise<Budgets | undefined>;
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
    async takeTurn(task) {
      const { task_id, session_id } = task.request;
      const wish = wishOf(task);
      if (session_id === task_id) {
        requireRoom(limits, FRESH_SESSION, wish);
        return { ...NO_TURN, budgets: offered(limits, FRESH_SESSION) };
      }
      const standing: SessionStanding[] = [];
      const fits = (session: SessionRecord) => {
        standing[0] = standingOf(session);
        return misfits(limits, standing[0], wish).length === 0;
      };
      const taken = await sessions
        .takeTurn({ sessionId: session_id, taskId: task_id, tokens: wish.tokens, fits })
        .catch((err: unknown) => {
          if (isLimited(limits) || !(err instanceof DroverError)) throw err;
          log.warn(
            { event: 'turn_uncounted', task_id, err },
            'a turn cannot be counted, and none is limited',
          );
          return 'held';
        });
      if (taken === 'refused') requireRoom(limits, standing[0] ?? FRESH_SESSION, wish);
      if (taken !== 'taken') return NO_TURN;
      return {
        budgets: offered(limits, standing[0] ?? FRESH_SESSION),
        giveBack: () =>
          sessions.giveBackTurn(task_id).catch((err: unknown) => {
            log.warn({ event: 'turn_kept', task_id, err }, 'the turn of a refused task cannot be given back');
          }),
      };
    },
    async budgets({ task_id, session_id }) {
      if (task_id === session_id) return budgetsOf(limits, FRESH_SESSION);
      try {
        const session = await sessions.find(session_id);
        return budgetsOf(limits, session === undefined ? FRESH_SESSION : standingOf(session));
      } catch (err) {
        log.warn({ event: 'budgets_unread', task_id, err }, 'what a session has left cannot be told');
        return undefined;
      }
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

/** Time is no limit here: it cannot be known before it has been spent. */
function isLimited({ turns, tokens, cost }: SessionLimits): boolean {
  return turns !== undefined || tokens !== undefined || cost !== undefined;
}

/** A ceiling is no wish: such a task takes what there is. */
function wishOf({ request: { max_tokens, expected_tokens }, fitContext }: SessionTask): TokenWish {
  if (fitContext === true) return { field: 'max_tokens', tokens: 1 };
  return expected_tokens === undefined
    ? { field: 'max_tokens', tokens: max_tokens }
    : { field: 'expected_tokens', tokens: Math.min(expected_tokens, max_tokens) };
}

/** @throws DroverError INVALID_PARAMS naming everything that keeps the task out */
function requireRoom(limits: SessionLimits, standing: SessionStanding, wish: TokenWish): void {
  const found = misfits(limits, standing, wish);
  if (found.length === 0) return;
  throw invalidParams(
    found.map(({ field, problem }) => ({ path: [field], code: 'custom', message: problem })),
  );
}

function standingOf(session: SessionRecord): SessionStanding {
  return {
    turns: session.turns,
    tokensUsed: session.tokens_used,
    tokensReserved: session.tokens_reserved,
    timeUsedMs: session.time_used_ms,
    costUsed: session.cost_used,
  };
}

function viewOf(session: SessionRecord, limits: SessionRules, nowMs: number): SessionView {
  return {
    ttl_ms_remaining: Math.min(limits.ttlMs, session.expires_ms - nowMs),
    turns: session.turns,
    kv_bytes: 0, // Engines share what they cache among all sessions, and say nothing of each.
    kv_warmth: session.warm === 1,
    ...budgetsOf(limits, standingOf(session)),
  };
}

/** What running tasks may yet put out is not spent. */
function budgetsOf(limits: SessionLimits, standing: SessionStanding): Budgets {
  const left = budgetsLeft(limits, { ...standing, tokensReserved: 0 });
  return {
    tokens_budget_remaining: left.tokens,
    time_budget_remaining_ms: left.timeMs,
    cost_budget_remaining: left.cost,
  };
}

function offered(limits: SessionLimits, standing: SessionStanding) {
  return { ...budgetsOf(limits, standing), token_price: limits.tokenPrice };
}

/** What a task has used, as its stream tells (B-DP-093); one that did not complete is charged for what it put out. */
function useOf({ events }: Transcript, { tokenPrice }: SessionLimits): TaskUse {
  const { data } = events.at(-1) ?? {};
  const isEnd = data !== undefined && 'decode_time_ms' in data;
  const tokens =
    readBy(events) ?? (isEnd ? data.tokens_out : events.filter(({ type }) => type === 'token').length);
  return { tokens, timeMs: isEnd ? data.decode_time_ms : 0, cost: tokens * tokenPrice };
}

/** Tokens that a task with inputs has read: it puts out none. Undefined for any other task. */
function readBy(events: Transcript['events']): number | undefined {
  const told = events.flatMap(({ data }) =>
    'i' in data && data.tokens_in !== undefined ? [data.tokens_in] : [],
  );
  return told.at(-1);
}
