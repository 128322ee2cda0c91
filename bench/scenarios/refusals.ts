/**
 * Refusals a second: of a full queue and of nobody's key. What an overloaded service says must cost less than what it
 * refuses. The floor is a bare Node server that reads the same body and answers a refusal of the same kind.
 */
import { askInVain, fillQueue, type Refusal } from '../load/full-queue.js';
import type { HttpClient } from '../load/http-client.js';
import { nextTask, taskBody } from '../load/subjects.js';
import { summarize } from '../measure/summary.js';
import { shown, type Report } from '../report/report.js';
import type { Bench } from '../scenario.js';
import { enginePid, loadPool, type BenchPool } from '../stack/bench-pools.js';

const CLIENTS = 16;
const POOL = 'full';
const SHORT = { tokens: 16, pauseMs: 0 };

/** Refusals a second. */
export async function refusals(bench: Bench): Promise<Report> {
  const { drover, quick, say } = bench;
  const full = await loadPool(drover, POOL, 1);
  const queue = await fillQueue(drover, POOL);
  const kinds = kindsOf(bench, full);
  const [turns, turnMs] = quick ? [1, 700] : [3, 2_000];
  say(`refusals: ${CLIENTS} clients, ${(turns * turnMs) / 1000} s a kind`);
  const took: number[][] = kinds.map(() => []);
  for (const kind of kinds) await askInVain(kind, CLIENTS, turnMs / 4);
  for (let turn = 0; turn < turns; turn += 1)
    for (const [at, kind] of kinds.entries()) took[at]?.push(...(await askInVain(kind, CLIENTS, turnMs)));
  await queue.empty();
  process.kill(await enginePid(drover.stateDir, POOL), 'SIGTERM');
  const rows = kinds.map(({ title }, at) => {
    const { count, p50, p99 } = summarize(took[at] ?? []);
    return [title, String(count), shown((count * 1000) / (turns * turnMs)), shown(p50), shown(p99)];
  });
  const columns = ['answer', 'answers', 'answers/s', 'p50, ms', 'p99, ms'];
  return { tables: [{ title: `Refusals a second, ${CLIENTS} clients`, columns, rows }], goals: [] };
}

function kindsOf({ drover }: Bench, { engine }: BenchPool): Refusal[] {
  const refused = (client: HttpClient, path: string) => () =>
    client.send({ method: 'POST', path, body: taskBody(nextTask(), SHORT, POOL) });
  const tasks = '/v2/tasks';
  return [
    { title: 'floor: bare Node server, 429', ask: refused(engine, '/refuse'), status: 429 },
    { title: 'no key, 401', ask: refused(drover.stranger, tasks), status: 401 },
    { title: 'queue full, 429', ask: refused(drover.api, tasks), status: 429 },
  ];
}
