/** What clients send: the bodies and paths of a planned task, in our words or in OpenAI's. */
import type { PlannedTask, PoolName } from './plan.js';

/** What a task asks for, without who asks: tasks that ask the same must say the same. */
export type Wish = Pick<PlannedTask, 'route' | 'topic' | 'maxTokens'>;

/** A request. */
export interface PlannedRequest {
  path: string;
  headers: Record<string, string>;
  /** Nothing is sent with a GET. */
  body?: Record<string, unknown>;
}

/** Far beyond what a run of the driver takes: no task ends by its deadline. */
const DEADLINE_MS = 600_000;

/** Key of a wish, for the undisturbed runs. */
export function wishKey({ route, topic, maxTokens }: Wish): string {
  return `${route} ${topic} ${maxTokens}`;
}

/** The request that posts a task. */
export function requestOf(task: PlannedTask): PlannedRequest {
  if (task.route === 'v2') return { path: '/v2/tasks', headers: {}, body: ourBody(task) };
  const { path, body } = openAiRequest(task, task.pool);
  const stream = { stream: task.stream, ...(task.stream ? { stream_options: { include_usage: true } } : {}) };
  return { path, headers: { 'idempotency-key': task.name }, body: { ...body, ...stream } };
}

/** Another body under the same id. */
export function conflictingRequestOf(task: PlannedTask): PlannedRequest {
  const request = requestOf(task);
  return { ...request, body: { ...request.body, max_tokens: task.maxTokens + 1 } };
}

/** Path by which a `/v1` stream is resumed. */
export function resumePath({ route }: Wish, taskId: string): string {
  const prefix = route === 'chat' ? 'chatcmpl' : 'cmpl';
  return `${pathOf(route)}/${prefix}-${encodeURIComponent(taskId)}?stream=true`;
}

/** The same wish for the whole completion, of a client that nobody disturbs. */
export function undisturbedRequest(wish: Wish, pool: PoolName): PlannedRequest {
  if (wish.route !== 'v2') return { ...openAiRequest(wish, pool), headers: {} };
  const asText = openAiRequest({ ...wish, route: 'completion' }, pool);
  return { ...asText, headers: {} };
}

function ourBody({ name, pool, topic, maxTokens, priority }: PlannedTask): Record<string, unknown> {
  return {
    task_id: name,
    session_id: name,
    workload: 'completion',
    model_ref: pool,
    engine: 'llamacpp',
    ctx: 0,
    priority,
    max_tokens: maxTokens,
    deadline_ms: DEADLINE_MS,
    prompt: promptOf(topic),
    temperature: 0,
  };
}

function openAiRequest({ route, topic, maxTokens }: Wish, pool: PoolName) {
  const shared = { model: pool, max_tokens: maxTokens, temperature: 0 };
  const prompt = promptOf(topic);
  const asked = route === 'chat' ? { messages: [{ role: 'user', content: prompt }] } : { prompt };
  return { path: pathOf(route), body: { ...shared, ...asked } };
}

function pathOf(route: Wish['route']): string {
  return route === 'chat' ? '/v1/chat/completions' : '/v1/completions';
}

function promptOf(topic: string): string {
  return `Tell me about: ${topic}.`;
}
