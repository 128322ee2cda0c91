/** A conversation at a terminal: what was said is kept and sent along, until `/bye`, Ctrl-D, or Ctrl-C at the prompt. */
import { createInterface } from 'node:readline/promises';
import type { ChatAnswer, ChatMessage } from '../client/ask-chat.js';
import { CliError, Interrupted } from '../client/cli-error.js';
import type { ApiHttp } from '../client/http.js';
import { showError } from '../output/show-error.js';
import type { Session } from '../session.js';

/** Lines that can be had again with the arrow keys. */
const REMEMBERED = 100;

const HELP = [
  '  /clear  forget what was said',
  '  /bye    leave; Ctrl-D does the same',
  '  Ctrl-C  ends an answer; at the prompt it leaves',
];

/** Answers to what was said so far. */
type Answer = (messages: readonly ChatMessage[], http: ApiHttp) => Promise<ChatAnswer>;

/** Converses until the person leaves. @throws Interrupted */
export async function converse(
  session: Session,
  before: readonly ChatMessage[],
  answer: Answer,
): Promise<void> {
  const { out } = session;
  const lines = new LineReader(session);
  let said: ChatMessage[] = [...before];
  out.note('a conversation; /help says what can be done');
  for (;;) {
    const line = await lines.next();
    if (line === undefined || line === '/bye') return;
    if (line === '/clear') said = [...before];
    else if (line === '/help' || line === '/?') for (const text of HELP) out.note(text);
    else if (line !== '') said = await exchange(session, [...said, { role: 'user', content: line }], answer);
  }
}

/** One question and its answer; after one that failed or was interrupted the question is as if never asked. */
async function exchange(session: Session, asked: ChatMessage[], answer: Answer): Promise<ChatMessage[]> {
  const { http, out, runtime } = session;
  try {
    const { text } = await runtime.interrupts.apart((stop) => answer(asked, http.until(stop)));
    return [...asked, { role: 'assistant', content: text }];
  } catch (err) {
    if (http.stop.aborted || !(err instanceof CliError || err instanceof Interrupted)) throw err;
    showError(err, out);
    return asked.slice(0, -1);
  }
}

/** Reads lines; between them the terminal is as it was, so that Ctrl-C is a signal. */
class LineReader {
  private history: string[] = [];

  constructor(private readonly session: Session) {}

  /** A line, trimmed; undefined when there is none any more. */
  async next(): Promise<string | undefined> {
    const { out, runtime } = this.session;
    const lines = createInterface({
      ...{ input: runtime.stdin, output: process.stdout, history: this.history, historySize: REMEMBERED },
    });
    const over = new Promise<undefined>((done) => lines.once('close', () => done(undefined)));
    lines.on('history', (history: string[]) => (this.history = [...history]));
    lines.on('SIGINT', () => runtime.interrupts.raise(130));
    try {
      const asked = lines.question(out.paint('bold', '>>> '), { signal: runtime.interrupts.signal });
      const line = await Promise.race([asked, over]);
      if (line === undefined) await out.line('');
      return line?.trim();
    } catch (err) {
      await out.line('');
      runtime.interrupts.signal.throwIfAborted();
      throw err;
    } finally {
      lines.close();
    }
  }
}
