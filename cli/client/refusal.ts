/** What an answer that is no success says: the API's envelope, OpenAI's dress of it, or nothing that is ours. */
import { z } from 'zod';
import { parseJson } from '../../domain/json.js';
import { CliError } from './cli-error.js';

/** An envelope, of this version or a later one: its code need not be among those that we know. */
export const anyEnvelope = z.looseObject({
  code: z.string(),
  message: z.string(),
  retriable: z.boolean().optional(),
  correlation_id: z.string().optional(),
});

/** An envelope's type. */
export type AnyEnvelope = z.infer<typeof anyEnvelope>;

const openAiDress = z.object({ error: z.looseObject({ code: z.string(), message: z.string() }) });

/** An answer, as far as refusals are concerned. */
export interface RefusedAnswer {
  method: string;
  url: string;
  status: number;
  text: string;
  correlationId: string | undefined;
}

/** The envelope in a body; undefined where it holds none. */
export function envelopeIn(text: string, correlationId?: string): AnyEnvelope | undefined {
  const json = parseJson(text);
  const plain = anyEnvelope.safeParse(json);
  if (plain.success) return plain.data;
  const dressed = openAiDress.safeParse(json);
  if (!dressed.success) return undefined;
  const { code, message } = dressed.data.error;
  return { code, message, ...(correlationId === undefined ? {} : { correlation_id: correlationId }) };
}

/** The API's own error, shown as such. */
export function errorOfEnvelope(envelope: AnyEnvelope, status?: number): CliError {
  const { code, message, correlation_id } = envelope;
  return new CliError(code, message, {
    envelope: { ...envelope, ...(status === undefined ? {} : { status }) },
    correlationId: correlation_id,
    ...(typeof envelope['hint'] === 'string' ? { suggestedAction: envelope['hint'] } : {}),
  });
}

/** The error of an answer that is no success. */
export function errorOfAnswer(answer: RefusedAnswer): CliError {
  const { method, url, status, text, correlationId } = answer;
  const envelope = envelopeIn(text, correlationId);
  if (envelope !== undefined) return errorOfEnvelope(envelope, status);
  return CliError.of(
    'HTTP_REQUEST_FAILED',
    `${method} ${url} answered ${status}, and not in Drover's words`,
    {
      details: { url, expected: '2xx', actual: status },
      correlationId,
    },
  );
}
