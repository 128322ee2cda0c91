/** From issues of a schema to the refusal that names every offending field (B-DP-040). */
import { DroverError } from '../../contracts/errors.js';

/** What is wrong with one value; the value itself is not repeated anywhere (B-DP-045). */
export interface ValueIssue {
  path: readonly PropertyKey[];
  /** Kind of the issue, as zod names it. */
  code: string;
  message: string;
}

/** Problems that the message spells out; the details have all of them. */
const SPELLED_OUT = 5;
/** Details of one answer: a list of a million bad elements must not become an answer of a hundred megabytes. */
const MOST_DETAILS = 100;

/** The refusal of a request with these issues. */
export function invalidParams(
  issues: readonly ValueIssue[],
  code: 'INVALID_PARAMS' | 'DEADLINE_UNMET' = 'INVALID_PARAMS',
): DroverError {
  const details = issues.slice(0, MOST_DETAILS).map(({ path, message }) => ({
    field: path.length === 0 ? 'body' : path.map(String).join('.'),
    problem: message,
  }));
  const spelledOut = details
    .slice(0, SPELLED_OUT)
    .map(({ field, problem }) => (problem.startsWith(field) ? problem : `${field}: ${problem}`));
  const more = issues.length - spelledOut.length;
  const message = `${spelledOut.join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
  return new DroverError(code, message, { details });
}
