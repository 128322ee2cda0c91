/**
 * How much later the first token comes through Drover than from the engine itself, for a client that holds its
 * connection: asked in turn, so that whatever else the machine does meets all alike.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { clients } from '../load/clients.js';
import type { Answer } from '../load/answer.js';
import {
  chatSubject,
  engineSubject,
  tasksSubject,
  type Subject,
  type SubjectName,
} from '../load/subjects.js';
import { summarize, type Summary } from '../measure/summary.js';
import { shown, type Goal, type Report, type Table } from '../report/report.js';
import type { Bench } from '../scenario.js';
import { AdmissionBook } from '../stack/admissions.js';

/** A short answer, said at once. */
const WISH = { tokens: 8, pauseMs: 0 };
/** Between two tasks of the lone client: the last one's workflow is put to rest meanwhile, as a person reads meanwhile. */
const THINK_MS = 10;
/** At 16 at once the ways take turns block by block: one way's load must not be another's baseline. */
const BLOCK = 64;
const NAMES = ['engine', 'tasks', 'chat'] as const;
const TITLES: Record<SubjectName, string> = {
  engine: 'engine, asked directly',
  tasks: '`POST /v2/tasks`, then its events',
  chat: '`POST /v1/chat/completions`, streamed',
};

type Answers = Record<SubjectName, Answer[]>;

/** First token: 1 client, then 16. */
export async function firstToken({ drover, pool, quick, say }: Bench): Promise<Report> {
  const ways: Record<SubjectName, Subject> = {
    engine: engineSubject(pool.engine),
    tasks: tasksSubject(drover.api),
    chat: chatSubject(drover.api),
  };
  const book = await AdmissionBook.open(drover.apiLog);
  const [alone, blocks, warmUp] = quick ? [40, 1, 10] : [1_000, 16, 100];
  say(`first token: warming up`);
  await askInTurn(ways, warmUp);
  say(`first token: 1 client, ${alone} samples a way`);
  const one = await askInTurn(ways, alone);
  say(`first token: 16 clients, ${blocks * BLOCK} samples a way`);
  const sixteen = await askInBlocks(ways, 16, blocks);
  await book.mustBeEager((warmUp + alone + blocks * BLOCK) * 2);
  return {
    tables: [
      firstTokenTable('First token, 1 client, ms', one),
      wayTable('Where the time of 1 client goes, ms at p50', one),
      firstTokenTable('First token, 16 clients at once, ms', sixteen),
    ],
    goals: [...goalsOf('tasks', one), ...goalsOf('chat', one)],
  };
}

async function askInTurn(ways: Record<SubjectName, Subject>, rounds: number): Promise<Answers> {
  const answers: Answers = { engine: [], tasks: [], chat: [] };
  for (let round = 0; round < rounds; round += 1) {
    for (const name of NAMES) {
      answers[name].push(await ways[name](WISH));
      await delay(THINK_MS);
    }
  }
  return answers;
}

async function askInBlocks(
  ways: Record<SubjectName, Subject>,
  count: number,
  blocks: number,
): Promise<Answers> {
  const answers: Answers = { engine: [], tasks: [], chat: [] };
  for (let block = 0; block < blocks; block += 1) {
    for (const name of NAMES) answers[name].push(...(await clients(count, BLOCK, () => ways[name](WISH))));
  }
  return answers;
}

function firstTokenTable(title: string, answers: Answers): Table {
  const found = summaries(answers);
  const rows = NAMES.map((name) => {
    const { p50, p99, max, count } = found[name];
    const added = name === 'engine' ? ['', ''] : [p50 - found.engine.p50, p99 - found.engine.p99].map(shown);
    return [TITLES[name], String(count), ...[p50, p99, max].map(shown), ...added];
  });
  return { title, columns: ['way', 'samples', 'p50', 'p99', 'max', '+ p50', '+ p99'], rows };
}

function wayTable(title: string, answers: Answers): Table {
  const p50 = (name: SubjectName, of: (answer: Answer) => number) =>
    shown(summarize(answers[name].map(of)).p50);
  const rows = NAMES.map((name) => [
    TITLES[name],
    p50(name, ({ firstSaidMs }) => firstSaidMs),
    p50(name, ({ firstTokenMs, firstSaidMs }) => firstTokenMs - firstSaidMs),
    p50(name, ({ wholeMs }) => wholeMs),
  ]);
  return { title, columns: ['way', 'request to engine', 'engine to client', 'whole answer'], rows };
}

function summaries(answers: Answers): Record<SubjectName, Summary> {
  const of = (name: SubjectName) => summarize(answers[name].map(({ firstTokenMs }) => firstTokenMs));
  return { engine: of('engine'), tasks: of('tasks'), chat: of('chat') };
}

function goalsOf(name: 'tasks' | 'chat', answers: Answers): Goal[] {
  const found = summaries(answers);
  const what = `first token later than from the engine, ${TITLES[name]}, 1 client`;
  return [
    { what: `${what}, p50`, value: found[name].p50 - found.engine.p50, reach: 15, unit: 'ms' },
    { what: `${what}, p99`, value: found[name].p99 - found.engine.p99, reach: 60, unit: 'ms' },
  ];
}
