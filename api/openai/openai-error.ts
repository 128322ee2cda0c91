/** Our envelope in OpenAI's shape (style §6: the same row, dressed), for everything under `/v1`. */
import { offendingFields, statusOf, type ErrorEnvelope } from '../../contracts/errors.js';
import type { OpenAiError } from '../../contracts/openai.js';

const TYPES: Record<number, string> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  409: 'conflict_error',
  429: 'rate_limit_error',
};

/** True for a path whose clients speak OpenAI's words. */
export function speaksOpenAi(url: string): boolean {
  return url.startsWith('/v1/');
}

/** The envelope as an OpenAI client reads it; the first offending field becomes `param`. */
export function openAiErrorOf(envelope: ErrorEnvelope): OpenAiError {
  const status = statusOf(envelope.code);
  const [detail] = offendingFields(envelope);
  return {
    error: {
      message: detail === undefined ? envelope.message : `${detail.field}: ${detail.problem}`,
      type: TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'server_error'),
      param: detail?.field ?? null,
      code: envelope.code,
    },
  };
}
