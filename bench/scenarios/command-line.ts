/**
 * What `drover run` costs its user beyond the engine: a process of its own from its start to its end, against the same answer
 * asked of the embedded engine itself. A bare Node process stands beside it, for that much nobody gets below.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { workerList } from '../../contracts/worker-report.js';
import { PACKAGE_ROOT } from '../../stack/places.js';
import { nowMs } from '../engine/words.js';
import { HttpClient } from '../load/http-client.js';
import { summarize } from '../measure/summary.js';
import { shown, type Report, type Table } from '../report/report.js';
import type { Bench } from '../scenario.js';
import type { Drover } from '../stack/start-drover.js';

const MODEL = 'demo';
const PROMPT = 'Tell me about the sea.';
const TOKENS = 32;
const COMMAND = join(PACKAGE_ROOT, 'cli', 'drover.mjs');

const execute = promisify(execFile);
const chat = z.object({ choices: z.tuple([z.object({ message: z.object({ content: z.string() }) })]) });

type Way = 'engine' | 'node' | 'command';
const TITLES: Record<Way, string> = {
  engine: 'engine, asked directly',
  node: "`node --eval ''`, start to end",
  command: `\`drover run ${MODEL} PROMPT\`, start to end`,
};

/** Answers of the engine, of Node and of the command, in turns. */
export async function commandLine({ drover, quick, say }: Bench): Promise<Report> {
  const rounds = quick ? 3 : 40;
  const engine = await engineOf(drover);
  const environment = { ...process.env, DROVER_URL: drover.api.url, DROVER_API_KEY: drover.apiKey };
  const run = async () => (await execute('node', [COMMAND, ...ARGUMENTS], { env: environment })).stdout;
  const taken: Record<Way, number[]> = { engine: [], node: [], command: [] };
  say(`command line: ${rounds} answers a way`);
  for (let round = 0; round <= rounds; round += 1) {
    const direct = await timed(() => askEngine(engine));
    const bare = await timed(() => execute('node', ['--eval', '']));
    const command = await timed(run);
    if (command.value !== direct.value)
      throw new Error(`the command said "${command.value}", the engine "${direct.value}"`);
    if (round === 0) continue; // Warms up.
    taken.engine.push(direct.ms);
    taken.node.push(bare.ms);
    taken.command.push(command.ms);
  }
  engine.close();
  return { tables: [table(taken)], goals: [] };
}

const ARGUMENTS = ['run', MODEL, PROMPT, '--max-tokens', String(TOKENS), '--temperature', '0'];

async function timed<T>(work: () => Promise<T>): Promise<{ value: T; ms: number }> {
  const beganMs = nowMs();
  const value = await work();
  return { value, ms: nowMs() - beganMs };
}

/** The engine of the pool `default`. */
async function engineOf({ api }: Drover): Promise<HttpClient> {
  const { text } = await api.send({ method: 'GET', path: `/v2/workers/list?model_ref=${MODEL}` });
  const [worker] = workerList.parse(JSON.parse(text)).workers;
  if (worker?.url == null) throw new Error(`no engine serves ${MODEL}`);
  return new HttpClient(worker.url);
}

async function askEngine(engine: HttpClient): Promise<string> {
  const messages = [{ role: 'user', content: PROMPT }];
  const body = { messages, max_tokens: TOKENS, temperature: 0 };
  const { status, text } = await engine.send({ method: 'POST', path: '/v1/chat/completions', body });
  if (status !== 200) throw new Error(`the engine answers ${status}: ${text.slice(0, 300)}`);
  return chat.parse(JSON.parse(text)).choices[0].message.content;
}

function table(taken: Record<Way, readonly number[]>): Table {
  const base = summarize(taken.engine).p50;
  const rows = (['engine', 'node', 'command'] as const).map((way) => {
    const { count, p50, p90, max } = summarize(taken[way]);
    const more = way === 'command' ? shown(p50 - base) : '';
    return [TITLES[way], String(count), shown(p50), shown(p90), shown(max), more];
  });
  return {
    title: `An answer of ${TOKENS} tokens on a terminal, ms`,
    columns: ['way', 'answers', 'p50', 'p90', 'max', '+ p50'],
    rows,
  };
}
