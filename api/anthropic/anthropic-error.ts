/** Our envelope in Anthropic's shape, for everything under `/v1/messages`. */
import { offendingFields, statusOf, type ErrorEnvelope } from '../../contracts/errors.js';
import type { AnthropicError } from '../../contracts/anthropic.js';

const TYPES: Record<number, string> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
};

/** True for a path whose clients speak Anthropic's words. */
export function speaksAnthropic(url: string): boolean {
  return /^\/v1\/messages(?:[/?]|$)/.test(url);
}

/** The envelope as an Anthropic client reads it. */
export function anthropicErrorOf(envelope: ErrorEnvelope): AnthropicError {
  const status = statusOf(envelope.code);
  const [detail] = offendingFields(envelope);
  const message = detail === undefined ? envelope.message : `${detail.field}: ${detail.problem}`;
  const type = TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error');
  const { correlation_id } = envelope;
  return {
    type: 'error',
    error: { type, message, code: envelope.code },
    ...(correlation_id === undefined ? {} : { request_id: correlation_id }),
  };
}
