/** What binds an answer: any JSON object, or JSON of a schema. */
import type { TaskRequest } from '../../../contracts/task.js';

/** A format that binds the answer. */
export type AnswerFormat = Exclude<NonNullable<TaskRequest['response_format']>, { type: 'text' }>;

/** The format of a request; undefined where anything will do. */
export function formatOf({
  response_format,
}: Pick<TaskRequest, 'response_format'>): AnswerFormat | undefined {
  return response_format === undefined || response_format.type === 'text' ? undefined : response_format;
}

/** The JSON schema of a format, for engines that know nothing else. */
export function schemaOf(format: AnswerFormat): Record<string, unknown> {
  return format.type === 'json_object' ? { type: 'object' } : format.json_schema.schema;
}
