/** `tasks`: submit, get, cancel, and watch. */
import { randomUUID } from 'node:crypto';
import { Option, type Command } from 'commander';
import { priority, taskAccepted, taskStatus, type TaskRequest } from '../../contracts/task.js';
import { taskWorkflowId } from '../../domain/identity.js';
import { properties } from '../output/table.js';
import { acts, anyNumber, duration, wholeNumber, type Runtime, type Session, type Work } from '../session.js';
import { callAs, readAs } from './read-as.js';
import { readPrompt } from './read-prompt.js';
import { addTaskEvents, printTask } from './task-events.js';

interface SubmitOptions {
  id?: string;
  session?: string;
  engine: TaskRequest['engine'];
  priority: TaskRequest['priority'];
  maxTokens: number;
  deadline: number;
  temperature?: number;
  seed?: number;
  pool?: string;
  attach?: boolean;
}

/** Adds the commands. */
export function addTasks(program: Command, runtime: Runtime): void {
  const tasks = program.command('tasks').description('tasks: submit, get, cancel, watch');
  addSubmit(tasks, runtime);
  tasks.command('get').description('show a task').argument('<id>', 'its id').action(acts(runtime, show));
  tasks
    .command('cancel')
    .description('cancel a task, waiting or running')
    .argument('<id>', 'its id')
    .action(acts(runtime, cancel));
  addTaskEvents(tasks, runtime);
}

function addSubmit(tasks: Command, runtime: Runtime): void {
  tasks
    .command('submit')
    .description('put a task on record, and say its id; it runs whether or not anybody watches')
    .argument('<model>', 'name or reference of the model')
    .argument('[prompt]', 'the text that it goes on with; without it standard input')
    .option('--id <id>', 'id of the task; the same id and request again are the same task')
    .option('--session <id>', 'its session; without it one of its own')
    .addOption(
      new Option('--engine <kind>', 'kind of the engine')
        .choices(['llamacpp', 'vllm', 'tgi', 'triton', 'openai'])
        .default('llamacpp'),
    )
    .addOption(
      new Option('--priority <class>', 'interactive tasks go before batch tasks')
        .choices(priority.options)
        .default('interactive'),
    )
    .option('--max-tokens <n>', 'longest answer, in tokens', wholeNumber, 256)
    .addOption(
      new Option('--deadline <time>', 'when it must have ended').argParser(duration).default(300_000, '5m'),
    )
    .option('--temperature <t>', 'from 0 to 2', anyNumber)
    .option('--seed <n>', 'seed of the sampling', wholeNumber)
    .option('--pool <id>', 'the pool that must serve it')
    .option('--attach', 'print its tokens as they come')
    .action(acts(runtime, submit));
}

const submit: Work<SubmitOptions> = async (session, [model = '', given], options) => {
  const prompt = given ?? (await readPrompt(session.runtime.stdin));
  const body = requestOf(model, prompt, options);
  const accepted = await callAs(
    session,
    {
      ...{ method: 'POST', path: '/v2/tasks', body, repeatable: true },
      onBusy: (message, delayMs) =>
        session.out.note(`${message}; asks again in ${Math.ceil(delayMs / 1_000)} s`),
    },
    taskAccepted,
  );
  const { task_id, queue_position } = accepted;
  session.out.note(`task ${task_id} is accepted, at position ${queue_position}`);
  if (options.attach !== true) return session.out.show(accepted, () => task_id);
  await printTask(session, task_id, body.max_tokens);
};

function requestOf(model: string, prompt: string, options: SubmitOptions) {
  const { engine, priority: klass, maxTokens, deadline, temperature, seed, pool } = options;
  const task_id = options.id ?? randomUUID();
  return {
    ...{ task_id, session_id: options.session ?? task_id, workload: 'completion', model_ref: model, engine },
    ...{ ctx: 0, priority: klass, max_tokens: maxTokens, deadline_ms: deadline, prompt },
    ...(temperature === undefined ? {} : { temperature }),
    ...(seed === undefined ? {} : { seed }),
    ...(pool === undefined ? {} : { placement: { mode: 'pin', pin_pool_id: pool } }),
  };
}

async function show(session: Session, [id = '']: readonly (string | undefined)[]): Promise<void> {
  const task = await readAs(session, `/v2/tasks/${encodeURIComponent(id)}`, taskStatus);
  await session.out.show(task, () =>
    properties({
      task: task.task_id,
      state: task.state,
      model: task.model_ref,
      place: [task.node_id, task.pool_id, task.replica_id].filter((part) => part !== null).join(' / '),
      engine: `${task.engine} ${task.engine_version ?? ''}`.trimEnd(),
      priority: task.priority,
      position: task.queue_position,
      admission: `at position ${task.admission.queue_position}, a start in ${task.admission.predicted_start_ms} ms was expected`,
      admitted: time(task.admitted_at_ms),
      started: after(task.started_at_ms, task.admitted_at_ms, 'in the queue'),
      'first token': after(task.first_token_at_ms, task.started_at_ms, 'on its slot'),
      ended: after(task.ended_at_ms, task.admitted_at_ms, 'in all'),
      'tokens in': task.tokens_in,
      'tokens out': task.tokens_out,
      'stop reason': task.stop_reason,
      error: task.error === null ? null : `${task.error.code}: ${task.error.message}`,
      transcript: task.transcript_artifact_id,
      'correlation id': task.correlation_id,
      workflow: taskWorkflowId(task.task_id),
    }),
  );
}

const cancel: Work<object> = async ({ http, out }, [id = '']) => {
  const path = `/v2/tasks/${encodeURIComponent(id)}/cancel`;
  await http.send({ method: 'POST', path, repeatable: true });
  await out.show({ task_id: id, cancelled: true }, () => `cancelled ${id}, or it had ended before`);
};

/** A time, and what it took to come to it. */
function after(atMs: number | null, sinceMs: number | null, where: string): string | null {
  return atMs === null || sinceMs === null
    ? time(atMs)
    : `${time(atMs)}, after ${atMs - sinceMs} ms ${where}`;
}

function time(atMs: number | null): string | null {
  return atMs === null ? null : new Date(atMs).toISOString();
}
