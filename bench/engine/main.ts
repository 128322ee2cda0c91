/**
 * The bench's engine: llama-server's HTTP and no computing, so that what is measured is Drover. `n_predict` says how
 * many tokens, and `seed` the pause between them in milliseconds, 0 for all in one write. `POST /release` ends what it is
 * saying slowly. A prompt that ends with tokens goes on after them. `POST /refuse` answers at once with a refusal like Drover's: the floor of the refusal bench.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { parseArgs } from 'node:util';
import { idOf, idsOf, NO_TASK, nowMs, saidIn, spell, taskOf, textOf } from './words.js';

interface CompletionBody {
  prompt: number[];
  n_predict?: number;
  seed?: number;
  stream?: boolean;
}

/** Ends of the streams that are under way. */
const releases = new Set<() => void>();

const { values: flags } = parseArgs({
  strict: false,
  options: { host: { type: 'string' }, port: { type: 'string' } },
});

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function event(data: object): string {
  return `data: ${JSON.stringify(data)}\n\n`;
}

function token(task: number, index: number): string {
  const spoken = { task, index, atMs: nowMs() };
  return event({ content: textOf(spoken), tokens: [idOf(spoken)], stop: false });
}

function lastEvent(body: CompletionBody, count: number): string {
  const stop_type = count < (body.n_predict ?? 1) ? 'eos' : 'limit';
  return event({
    ...{ content: '', tokens: [], stop: true, stop_type, stopping_word: '' },
    ...{ tokens_predicted: count, tokens_evaluated: body.prompt.length },
  });
}

function complete(response: ServerResponse, body: CompletionBody): void {
  const count = body.n_predict ?? 1;
  const task = taskOf(body.prompt) ?? NO_TASK;
  if (body.stream !== true) {
    const spoken = { task, index: saidIn(body.prompt), atMs: nowMs() };
    const [content, tokens] = [textOf(spoken), [idOf(spoken)]];
    return answer(response, 200, { content, tokens, stop: true, tokens_predicted: 1 });
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const pauseMs = body.seed ?? 0;
  if (pauseMs > 0) return speakSlowly(response, task, { body, count, pauseMs });
  const first = saidIn(body.prompt);
  const tokens = Array.from({ length: count }, (_, at) => token(task, first + at));
  response.end(tokens.join('') + lastEvent(body, count));
}

/** Each stream begins at a moment of its own within the pause, so that streams do not beat together. */
function speakSlowly(
  response: ServerResponse,
  task: number,
  { body, count, pauseMs }: { body: CompletionBody; count: number; pauseMs: number },
): void {
  const first = saidIn(body.prompt);
  let index = first;
  let dueMs = nowMs() + Math.random() * pauseMs;
  response.flushHeaders();
  response.socket?.setNoDelay(true);
  let timer = setTimeout(speak, dueMs - nowMs());
  releases.add(end);
  response.once('close', stop);

  function speak(): void {
    response.write(token(task, index));
    index += 1;
    if (index >= first + count) return end();
    dueMs += pauseMs;
    timer = setTimeout(speak, Math.max(0, dueMs - nowMs()));
  }
  function end(): void {
    stop();
    response.end(lastEvent(body, index - first));
  }
  function stop(): void {
    clearTimeout(timer);
    releases.delete(end);
  }
}

async function bodyOf<T>(request: IncomingMessage): Promise<T> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as T;
}

async function route(request: IncomingMessage, response: ServerResponse): Promise<void> {
  switch (request.url) {
    case '/health':
      return answer(response, 200, { status: 'ok' });
    case '/completion':
      return complete(response, await bodyOf(request));
    case '/tokenize':
      return answer(response, 200, { tokens: idsOf((await bodyOf<{ content: string }>(request)).content) });
    case '/detokenize':
      return answer(response, 200, { content: spell((await bodyOf<{ tokens: number[] }>(request)).tokens) });
    case '/apply-template': {
      // The plain content: a chat has the same prompt ids as a text.
      const { messages } = await bodyOf<{ messages: { content: string }[] }>(request);
      return answer(response, 200, { prompt: messages.map(({ content }) => content).join('') });
    }
    case '/release':
      for (const end of [...releases]) end();
      return answer(response, 200, {});
    case '/refuse':
      await bodyOf(request);
      return answer(response, 429, { code: 'ADMISSION_REJECT', message: 'the queue of the pool is full' });
    default:
      return answer(response, 404, { error: { code: 404, message: 'File Not Found' } });
  }
}

process.on('SIGTERM', () => process.exit(0));
// Longer than any pause of a client: a connection that was closed a moment ago is no figure.
createServer({ keepAliveTimeout: 120_000 }, (request, response) => void route(request, response)).listen(
  Number(flags['port'] ?? 0),
  typeof flags['host'] === 'string' ? flags['host'] : '127.0.0.1',
);
