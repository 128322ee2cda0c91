/** An engine's failures in our words (B-AD-008, B-AD-009); what the engine said of itself stays out of the message. */
import { DroverError } from '../../../contracts/errors.js';

/** How engines say that a prompt is too long: llama-server by its error's type, vLLM and TGI in words. */
const TOO_LONG =
  /exceed_context_size|maximum context length|`max_new_tokens` must be|`inputs` must have less/;

/** A fault of an engine that may have passed when it is asked again: any 5xx (B-AD-008). */
export class EngineFault extends DroverError {}

/** How engines refuse what they do not have: vLLM by 400, TGI by 422, the embedded engine by 501. */
const REFUSES = [400, 422, 501];

/** The refusal of tools by an engine, or by the template of its model. */
export function cannotUseTools(): DroverError {
  return refused('tools', 'this model, or its engine as it was started, cannot call them');
}

/** The refusal of log probabilities by an engine that has none, or not so many. */
export function cannotTellLogprobs(): DroverError {
  return refused('logprobs', 'the engine of this model does not tell them, or not so many');
}

function refused(field: string, problem: string): DroverError {
  return new DroverError('INVALID_PARAMS', `${field}: ${problem}`, { details: [{ field, problem }] });
}

/** An engine's refusal by HTTP status. The prompt's size is the client's to mend; anything else is the engine's. */
export function refusal(status: number, body: string): DroverError {
  if (status === 503)
    return new DroverError('POOL_UNREADY', 'the engine is still loading', { retry_after_ms: 1000 });
  if ((status === 400 || status === 422) && TOO_LONG.test(body)) {
    return new DroverError('INVALID_PARAMS', 'the prompt does not fit the context of the engine');
  }
  if (status === 400 && body.includes('invalid tokens')) {
    return new DroverError('INVALID_PARAMS', 'the prompt has token ids that the model does not know');
  }
  if (REFUSES.includes(status)) {
    if (/\btool/i.test(body)) return cannotUseTools();
    if (/logprobs|n_probs|top_n_tokens/.test(body)) return cannotTellLogprobs();
    if (/schema|grammar/i.test(body))
      return new DroverError('INVALID_PARAMS', 'the engine cannot bind its answer to this response_format');
  }
  if (status === 429) return new DroverError('POOL_UNREADY', 'the engine is busy', { retry_after_ms: 1000 });
  const Kind = status >= 500 ? EngineFault : DroverError;
  return new Kind('INTERNAL', `the engine refused the request with status ${status}`);
}

/** A failure of the connection to an engine. Time-outs are the watchdog's; everything else is a reset. */
export function engineFailure(err: unknown): DroverError {
  if (err instanceof DroverError) return err;
  if (err instanceof SyntaxError)
    return new DroverError('INTERNAL', 'the engine sent what is no JSON', {}, { cause: err });
  const code = (err as { code?: string }).code ?? '';
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') {
    return new DroverError('DECODE_TIMEOUT', 'the engine was silent for too long', {}, { cause: err });
  }
  if (code === 'ECONNREFUSED' || code === 'UND_ERR_CONNECT_TIMEOUT') {
    return new DroverError(
      'POOL_UNAVAILABLE',
      'the engine does not answer',
      { retry_after_ms: 1000 },
      { cause: err },
    );
  }
  return new DroverError('WORKER_RESET', 'the connection to the engine was lost', {}, { cause: err });
}
