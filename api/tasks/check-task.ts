/** Guardrails of a task that depend on this deployment, checked together with the schema so that one answer names all. */
import type { FastifySchemaCompiler } from 'fastify';
import { taskRequest, type TaskRequest } from '../../contracts/task.js';
import { invalidParams, type ValueIssue } from '../plugins/invalid-params.js';

/** Limits from the settings. */
export interface TaskLimits {
  /** Largest `max_tokens` (B-DP-042). */
  maxOutputTokens: number;
}

/**
 * Checks a body against the schema and the guardrails.
 * @throws DroverError INVALID_PARAMS, or DEADLINE_UNMET for a lone deadline of zero or less
 */
export function checkTask(body: unknown, limits: TaskLimits): TaskRequest {
  const parsed = taskRequest.safeParse(body);
  const issues = [...(parsed.error?.issues ?? []), ...guardrailIssues(body, limits)];
  if (issues.length > 0 || !parsed.success) {
    throw invalidParams(issues, isOnlyThePastDeadline(issues) ? 'DEADLINE_UNMET' : 'INVALID_PARAMS');
  }
  return parsed.data;
}

/** A deadline that has passed already has a code of its own (B-DP-002). */
function isOnlyThePastDeadline(issues: readonly ValueIssue[]): boolean {
  return (
    issues.every(({ path }) => path.length === 1 && path[0] === 'deadline_ms') &&
    issues.some(({ code }) => code === 'too_small')
  );
}

/** {@link checkTask} as a route's validator: the schema of the route stays what OpenAPI shows. */
export function taskValidator(limits: TaskLimits): FastifySchemaCompiler<unknown> {
  return () => (body: unknown) => {
    try {
      return { value: checkTask(body, limits) };
    } catch (error) {
      return { error: error as Error };
    }
  };
}

/** Reads a body that may be anything: a value of the wrong type is the schema's to report. */
function guardrailIssues(body: unknown, { maxOutputTokens }: TaskLimits): ValueIssue[] {
  const { max_tokens, placement } = asRecord(body);
  const { mode, pin_pool_id } = asRecord(placement);
  const issues: ValueIssue[] = [];
  const report = (message: string, ...path: string[]) => issues.push({ path, code: 'custom', message });
  if (typeof max_tokens === 'number' && max_tokens > maxOutputTokens && max_tokens <= INT32_MAX) {
    report(`max_tokens must be <= ${maxOutputTokens}`, 'max_tokens');
  }
  issues.push(...inputIssues(body));
  if (mode === 'pin' && pin_pool_id === undefined) {
    report('is needed for mode pin', 'placement', 'pin_pool_id');
  }
  return issues;
}

/** What each workload is given: a prompt, or inputs, or (documents and their query) both. */
function inputIssues(body: unknown): ValueIssue[] {
  const { workload, prompt, inputs } = asRecord(body);
  const issues: ValueIssue[] = [];
  const report = (field: string, message: string) => issues.push({ path: [field], code: 'custom', message });
  if ((workload === 'completion' || workload === 'rerank') && prompt === undefined)
    report('prompt', `prompt is needed for workload ${workload}`);
  if (workload === 'embedding' && prompt !== undefined)
    report('prompt', 'workload embedding takes inputs, not a prompt');
  if (workload !== 'embedding' && workload !== 'rerank') return issues;
  if (inputs === undefined || (Array.isArray(inputs) && inputs.length === 0))
    report('inputs', `inputs are needed for workload ${workload}`);
  // The text of nothing has no vector; a document of nothing fits no query, and may be told so.
  if (workload === 'embedding' && Array.isArray(inputs) && inputs.includes(''))
    report('inputs', 'an input must not be empty');
  return issues;
}

/** Larger values are refused by the schema already. */
const INT32_MAX = 2_147_483_647;

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
