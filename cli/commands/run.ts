/** `drover run`: an answer, or a conversation. */
import { Option, type Command } from 'commander';
import { mustBeFetched, shownRef } from '../../domain/model-source.js';
import { askChat, type ChatAnswer, type ChatMessage } from '../client/ask-chat.js';
import { CliError } from '../client/cli-error.js';
import type { ApiHttp } from '../client/http.js';
import type { TaskEnd } from '../client/task-reader.js';
import { acts, anyNumber, several, wholeNumber, type Runtime, type Session, type Work } from '../session.js';
import { preparationLine } from '../output/progress-line.js';
import { readPrompt } from './read-prompt.js';
import { converse } from './converse.js';
import { fetchModel } from './pull.js';

/** Options of `run`. */
export interface RunOptions {
  system?: string;
  maxTokens?: number;
  temperature?: number;
  topP?: number;
  seed?: number;
  stop?: readonly string[];
  format?: 'json';
  session?: string;
  verbose?: boolean;
}

/** Adds `run`. */
export function addRun(program: Command, runtime: Runtime): void {
  program
    .command('run')
    .description('run a model: its answer on standard output, token by token')
    .argument('<model>', 'name of the model, as "drover ls" has it, or where to fetch it: hf:org/repo/file')
    .argument('[prompt]', 'what it is asked; without it standard input, or on a terminal a conversation')
    .option('--system <text>', 'what it is told before all else')
    .option('--max-tokens <n>', 'longest answer, in tokens; without it as much as fits', wholeNumber)
    .option('--temperature <t>', 'from 0 to 2; 0 always says the likeliest', anyNumber)
    .option('--top-p <p>', 'share of the likeliest tokens that are drawn from', anyNumber)
    .option('--seed <n>', 'seed of the sampling', wholeNumber)
    .option('--stop <text>', 'text that ends the answer; may be given several times', several)
    .addOption(new Option('--format <format>', 'form of the answer').choices(['json']))
    .option('--session <id>', 'session that its tasks belong to')
    .option('--verbose', 'say how many tokens there were, and how fast')
    .action(acts(runtime, run));
}

const run: Work<RunOptions> = async (session, [model = '', prompt], options) => {
  const before: ChatMessage[] =
    options.system === undefined ? [] : [{ role: 'system', content: options.system }];
  const { stdin } = session.runtime;
  if (prompt === undefined && stdin.isTTY && session.out.isTerminal)
    return converse(session, before, (messages, http) =>
      fetchedFirst(session, model, () => answerTo(session, http, model, messages, options)),
    );
  const content = prompt ?? (await readPrompt(stdin));
  const messages: ChatMessage[] = [...before, { role: 'user', content }];
  await fetchedFirst(session, model, () => answerTo(session, session.http, model, messages, options));
};

/** A model that nobody serves yet is fetched, where its name says from where; then it is asked again. */
async function fetchedFirst<T>(session: Session, model: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (err) {
    if (!(err instanceof CliError) || !mustBeFetched(model)) throw err;
    if ((err.more.details?.['cause_code'] ?? err.code) !== 'MODEL_NOT_FOUND') throw err;
    session.out.note(`${shownRef(model)} is not there yet: it is fetched`);
    await fetchModel(session, { model_ref: model });
    return await ask();
  }
}

/** Prints an answer as it comes; with `--json` the whole of it at its end. */
async function answerTo(
  { out }: Session,
  http: ApiHttp,
  model: string,
  messages: readonly ChatMessage[],
  options: RunOptions,
): Promise<ChatAnswer> {
  const printed = { any: false, figures: '' };
  const startedAt = performance.now();
  try {
    const answer = await askChat(http, {
      ...{ model, messages, maxTokens: options.maxTokens, sessionId: options.session },
      settings: settingsOf(options),
      onPreparation: (steps) => out.progress(out.json ? JSON.stringify(steps) : preparationLine(steps)),
      onToken: (text) => {
        if (!printed.any) out.endProgress();
        printed.any = true;
        return out.json ? undefined : out.write(text);
      },
      onNote: (note) => out.note(out.isTerminal && printed.any ? `\n${note}` : note),
    });
    const { taskId: task_id, text, end } = answer;
    if (out.json) await out.line(JSON.stringify({ task_id, model, text, ...end }));
    printed.figures = figures(end, performance.now() - startedAt);
    return answer;
  } finally {
    if (!printed.any) out.endProgress();
    if (printed.any && out.isTerminal) await out.line('');
    if (options.verbose === true && printed.figures !== '') out.note(printed.figures);
  }
}

function figures({ tokens_in, tokens_out, decode_ms, stop_reason }: TaskEnd, tookMs: number): string {
  const pace = decode_ms > 0 ? `, ${Math.round((tokens_out * 1_000) / decode_ms)} a second` : '';
  return `${tokens_in} tokens in, ${tokens_out} out${pace}; ${Math.round(tookMs)} ms in all; ${stop_reason}`;
}

function settingsOf({ temperature, topP, seed, stop, format }: RunOptions): Record<string, unknown> {
  return {
    ...(temperature === undefined ? {} : { temperature }),
    ...(topP === undefined ? {} : { top_p: topP }),
    ...(seed === undefined ? {} : { seed }),
    ...(stop === undefined ? {} : { stop }),
    ...(format === undefined ? {} : { response_format: { type: 'json_object' } }),
  };
}
