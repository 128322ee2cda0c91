/** The checks of `drover doctor`, in the order in which one thing needs another. */
import { z } from 'zod';
import { poolList } from '../../contracts/pool.js';
import { CliError } from '../client/cli-error.js';
import { headerOf } from '../client/http.js';
import { nextStep } from '../client/next-step.js';
import type { Session } from '../session.js';
import { ownVersion } from '../settings/places.js';
import { readAs } from './read-as.js';

/** What was looked at, and how it is. */
export interface Check {
  name: string;
  ok: boolean;
  message: string;
  code?: string;
  suggested_action?: string;
  timedOut?: boolean;
}

/** Beyond this the times in logs and histories mislead. */
const CLOCK_TOLERANCE_MS = 5_000;
/** `Date` has no fraction of a second. */
const DATE_GRAIN_MS = 1_000;

const health = z.object({ version: z.string() });
const unready = z.object({ details: z.array(z.object({ field: z.string(), problem: z.string() })) });

/** Looks at one thing after the other; behind an API that does not answer there is nothing to be seen. */
export async function* checkAll(session: Session): AsyncGenerator<Check> {
  const { target } = session;
  yield passed('address', `${target.url}, from ${target.urlFrom}`);
  const api = await checkApi(session);
  yield* api.checks;
  if (!api.reached) return;
  yield await checkKey(session);
  yield await checkTemporal(session);
  yield await checkPools(session);
}

async function checkApi({ http }: Session): Promise<{ reached: boolean; checks: Check[] }> {
  try {
    const askedAtMs = Date.now();
    const { json, headers } = await http.send({ path: '/healthz' });
    const { version } = health.parse(json);
    const tookMs = Date.now() - askedAtMs;
    const checks = [
      passed('api', `answers in ${tookMs} ms`),
      checkVersion(version),
      checkClock(headerOf(headers, 'date'), tookMs),
    ];
    return { reached: true, checks };
  } catch (err) {
    return { reached: false, checks: [failedBy('api', healthError(err))] };
  }
}

/** The call for its health itself has failed (`HEALTH_CHECK_ERROR`). */
function healthError(err: unknown): CliError {
  if (err instanceof z.ZodError)
    return CliError.of('HEALTH_CHECK_ERROR', "the answer is not that of Drover's API", { cause: err });
  if (!(err instanceof CliError)) throw err;
  return CliError.of('HEALTH_CHECK_ERROR', err.message, {
    timedOut: err.exitCode === 124,
    cause: err,
  });
}

function checkVersion(version: string): Check {
  const [own, theirs] = [ownVersion(), version];
  const line = (text: string) => text.split('.').slice(0, 2).join('.');
  if (line(own) === line(theirs)) return passed('version', `${theirs}; the command line is ${own}`);
  return {
    ...{ name: 'version', ok: false, message: `the API is ${theirs}, the command line ${own}` },
    ...{ code: 'VERSION_MISMATCH', suggested_action: 'take both from the same release' },
  };
}

function checkClock(date: string | undefined, tookMs: number): Check {
  const theirs = Date.parse(date ?? '');
  if (Number.isNaN(theirs)) return passed('clock', 'the API does not tell its time');
  const awayMs = Math.max(0, Math.abs(Date.now() - theirs) - tookMs - DATE_GRAIN_MS);
  if (awayMs <= CLOCK_TOLERANCE_MS) return passed('clock', 'agrees with that of the API');
  return {
    ...{ name: 'clock', ok: false, message: `${Math.round(awayMs / 1_000)} s away from that of the API` },
    suggested_action: 'let both machines keep their time by NTP',
  };
}

async function checkKey({ http, target }: Session): Promise<Check> {
  const from = target.keyFrom === undefined ? 'no key is needed' : `accepted; from ${target.keyFrom}`;
  return check('key', async () => {
    await http.send({ path: '/v2/meta/version' });
    return from;
  });
}

/** Which of the things that readiness asks for is missing stands in the refusal's details. */
async function checkTemporal({ http }: Session): Promise<Check> {
  try {
    await http.send({ path: '/readyz' });
  } catch (err) {
    if (!(err instanceof CliError)) throw err;
    const missing = unready.safeParse(err.more.envelope);
    const temporal = missing.data?.details.find(({ field }) => field === 'temporal');
    if (!missing.success) return failedBy('temporal', err);
    if (temporal !== undefined)
      return {
        ...{ name: 'temporal', ok: false, message: temporal.problem, code: 'TEMPORAL_UNAVAILABLE' },
        suggested_action: 'look at the log of Temporal, and at TEMPORAL_ADDRESS of the API',
      };
  }
  return passed('temporal', 'is reached by the API');
}

async function checkPools(session: Session): Promise<Check> {
  return check('pools', async () => {
    const { pools } = await readAs(session, '/v2/pools', poolList);
    if (pools.length === 0) throw CliError.of('NO_WORKERS', 'there is no pool');
    const away = pools.filter(({ ready }) => !ready);
    const reasons = away.map(({ pool_id, state, last_error }) =>
      last_error === null ? `${pool_id} is ${state}` : `${pool_id} is ${state}: ${last_error}`,
    );
    if (away.length > 0) throw new CliError('POOL_UNREADY', reasons.join('; '));
    return `${pools.map(({ pool_id }) => pool_id).join(', ')}: ready`;
  });
}

async function check(name: string, look: () => Promise<string>): Promise<Check> {
  try {
    return passed(name, await look());
  } catch (err) {
    if (err instanceof CliError) return failedBy(name, err);
    throw err;
  }
}

function passed(name: string, message: string): Check {
  return { name, ok: true, message };
}

function failedBy(name: string, error: CliError): Check {
  const { code, message, suggested_action } = error.toRecord(nextStep(error.code));
  return {
    ...{ name, ok: false, message, code, timedOut: error.exitCode === 124 },
    ...(suggested_action === undefined ? {} : { suggested_action }),
  };
}
