/**
 * A real engine process with bad manners on demand: llama-server's routes, and flags for everything that engines do to
 * those who start them. For tests only. Flags that it does not know are taken and ignored, as by no real engine, so that
 * tests may pass any.
 *
 * | flag | what it does |
 * |---|---|
 * | `--port N`, `--host H` | where it listens |
 * | `--ready-after-ms N`, `--never-ready` | health is 503 `Loading model` until then, or for ever |
 * | `--lie-healthy` | health is 200 at once, completions fail with 500 |
 * | `--slow-health MS` | health answers that much later |
 * | `--http10` | health answers in HTTP/1.0 |
 * | `--reset-health N` | the first N health polls are reset |
 * | `--exit-at-start CODE`, `--kill-at-start SIGNAL` | ends before it listens |
 * | `--crash-after-ms N` | ends with code 134 after that |
 * | `--ignore-sigterm`, `--sigterms N` | needs SIGKILL, or N times SIGTERM |
 * | `--fork-child` | has a child that ignores SIGTERM |
 * | `--orphan-child` | has such a child, and ends itself at once |
 * | `--log-line TEXT`, `--error-line TEXT` | written to standard output and standard error at start |
 * | `--tokens N`, `--token-delay-ms N` | length of a completion, 16, and the pause before each token, 0 |
 * | `--watch-file PATH` | `GET /fake` tells whether this file was there at the first health poll |
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const { values: flags } = parseArgs({
  strict: false,
  allowPositionals: true,
  options: Object.fromEntries(
    [
      ...['port', 'host', 'ready-after-ms', 'slow-health', 'reset-health', 'exit-at-start', 'kill-at-start'],
      ...['crash-after-ms', 'sigterms', 'log-line', 'error-line', 'tokens', 'token-delay-ms', 'watch-file'],
      ...['model', 'parallel', 'ctx-size'],
    ].map((name) => [name, { type: 'string' as const }]),
  ),
});

const text = (name: string, byDefault: string): string =>
  typeof flags[name] === 'string' ? flags[name] : byDefault;
const count = (name: string, byDefault: number): number => Number(text(name, String(byDefault)));
const has = (name: string): boolean => flags[name] !== undefined;

/** No real engine calls itself so. */
const VERSION = 'mock-stub-v0';

const startedAt = Date.now();
const polls: number[] = [];
let watchedFileWasThere: boolean | null = null;
let sigterms = 0;
let busySlots = 0;
let taskCount = 0;

/** A child that only SIGKILL ends, for the ladder's last rung; resolves when it is past ending by SIGTERM. */
async function haveStubbornChild(): Promise<void> {
  const program = "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); process.stdout.write('up');";
  const { stdout } = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(stdout, 'data');
}

function isLoading(): boolean {
  return has('never-ready') || Date.now() - startedAt < count('ready-after-ms', 0);
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function loadingError(): object {
  return { error: { message: 'Loading model', type: 'unavailable_error', code: 503 } };
}

async function health(request: IncomingMessage, response: ServerResponse): Promise<void> {
  polls.push(Date.now());
  if (polls.length === 1 && has('watch-file')) watchedFileWasThere = existsSync(text('watch-file', ''));
  if (polls.length <= count('reset-health', 0)) return void request.socket.resetAndDestroy();
  await delay(count('slow-health', 0));
  const ok = !isLoading() || has('lie-healthy');
  if (has('http10')) {
    request.socket.end(`HTTP/1.0 ${ok ? '200 OK' : '503 Loading'}\r\ncontent-length: 0\r\n\r\n`);
    return;
  }
  json(response, ok ? 200 : 503, ok ? { status: 'ok' } : loadingError());
}

interface CompletionBody {
  prompt: string | number[];
  n_predict?: number;
  stream?: boolean;
}

/** Words `w0 w1 …` with the ids 1000, 1001 …; a prompt of ids that ends with such an id is gone on from. */
async function complete(response: ServerResponse, body: CompletionBody): Promise<void> {
  if (has('lie-healthy')) return json(response, 500, { error: { code: 500, message: 'no token today' } });
  const prompt = typeof body.prompt === 'string' ? wordIds(body.prompt) : body.prompt;
  const length = count('tokens', 16);
  const limit =
    body.n_predict === undefined || body.n_predict < 0 ? length : Math.min(body.n_predict, length);
  const first = Math.max(-1, ...prompt.filter((id) => id >= FIRST_WORD).map((id) => id - FIRST_WORD)) + 1;
  const ids: number[] = [];
  if (body.stream === true) response.writeHead(200, { 'content-type': 'text/event-stream' });
  while (ids.length < limit && !response.destroyed) {
    await delay(count('token-delay-ms', 0));
    const word = first + ids.length;
    ids.push(FIRST_WORD + word);
    if (body.stream === true)
      sendEvent(response, { content: `w${word} `, tokens: [FIRST_WORD + word], stop: false });
  }
  const end = {
    stop: true,
    stop_type: limit < length ? 'limit' : 'eos',
    stopping_word: '',
    tokens_predicted: ids.length,
    tokens_evaluated: prompt.length,
    model: text('model', 'fake'),
  };
  if (body.stream !== true) return json(response, 200, { ...end, content: wordsOf(ids), tokens: ids });
  sendEvent(response, { ...end, content: '', tokens: [] });
  response.end();
}

const FIRST_WORD = 1_000;

function wordIds(content: string): number[] {
  return content
    .split(/\s+/)
    .filter((word) => word !== '')
    .map((_, index) => index + 1);
}

function wordsOf(ids: readonly number[]): string {
  return ids.map((id) => `w${id - FIRST_WORD} `).join('');
}

function sendEvent(response: ServerResponse, data: object): void {
  response.write(`data: ${JSON.stringify(data)}\n\n`);
}

async function readBody<T>(request: IncomingMessage): Promise<T> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as T;
}

/** What tests ask of it: how it was started, and what it has seen. */
function observed(): object {
  return {
    argv: process.argv.slice(2),
    env: process.env,
    cwd: process.cwd(),
    polls,
    tasks: taskCount,
    watched_file_was_there: watchedFileWasThere,
  };
}

async function route(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = request.url?.split('?')[0];
  if (path === '/health') return health(request, response);
  if (path === '/fake') return json(response, 200, observed());
  if (isLoading() && !has('lie-healthy')) return json(response, 503, loadingError());
  switch (path) {
    case '/completion':
      return inSlot(async () => complete(response, await readBody(request)));
    case '/tokenize': {
      const { content } = await readBody<{ content: string }>(request);
      return json(response, 200, { tokens: wordIds(content) });
    }
    case '/apply-template': {
      const { messages } = await readBody<{ messages: { role: string; content: string }[] }>(request);
      return json(response, 200, {
        prompt: messages.map(({ role, content }) => `${role}: ${content}`).join('\n'),
      });
    }
    case '/props':
      return json(response, 200, {
        build_info: VERSION,
        total_slots: count('parallel', 1),
        model_path: text('model', 'fake'),
      });
    case '/slots':
      return json(response, 200, slots());
    default:
      return json(response, 404, {
        error: { code: 404, message: 'File Not Found', type: 'not_found_error' },
      });
  }
}

async function inSlot(work: () => Promise<void>): Promise<void> {
  taskCount += 1;
  busySlots += 1;
  try {
    await work();
  } finally {
    busySlots -= 1;
  }
}

function slots(): object[] {
  const n_ctx = Math.floor(count('ctx-size', 2_048) / count('parallel', 1));
  return Array.from({ length: count('parallel', 1) }, (_, id) => ({
    id,
    n_ctx,
    is_processing: id < busySlots,
  }));
}

process.on('SIGTERM', () => {
  sigterms += 1;
  if (!has('ignore-sigterm') && sigterms >= count('sigterms', 1)) process.exit(0);
});
if (has('fork-child') || has('orphan-child')) await haveStubbornChild();
if (has('log-line')) process.stdout.write(`${text('log-line', '')}\n`);
if (has('error-line')) process.stderr.write(`${text('error-line', '')}\n`);
if (has('exit-at-start')) process.exit(count('exit-at-start', 1));
if (has('kill-at-start')) process.kill(process.pid, text('kill-at-start', 'SIGKILL'));
if (has('orphan-child')) process.exit(0);
if (has('crash-after-ms')) setTimeout(() => process.exit(134), count('crash-after-ms', 0));
createServer((request, response) => void route(request, response)).listen(
  count('port', 0),
  text('host', '127.0.0.1'),
);
