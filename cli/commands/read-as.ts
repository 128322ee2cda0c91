/** Reading what the API answers in the form that its contract gives it. */
import type { z } from 'zod';
import { CliError } from '../client/cli-error.js';
import type { Call } from '../client/http.js';
import type { Session } from '../session.js';

/** The answer to a GET, in its form. @throws CliError */
export function readAs<T extends z.ZodType>(session: Session, path: string, schema: T): Promise<z.infer<T>> {
  return callAs(session, { path }, schema);
}

/** The answer to a call, in its form. @throws CliError JSON_PARSE_ERROR for another form, which another version may have */
export async function callAs<T extends z.ZodType>(
  { http }: Session,
  call: Call,
  schema: T,
): Promise<z.infer<T>> {
  const parsed = schema.safeParse(await http.json(call));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw CliError.of(
    'JSON_PARSE_ERROR',
    `the answer to ${call.path} has another form than this version knows`,
    {
      details: { path: call.path, field: issue?.path.join('.'), problem: issue?.message },
      suggestedAction: '"drover doctor" compares the versions',
    },
  );
}
