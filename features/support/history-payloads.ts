/** The payloads of a workflow's history: as the server keeps them, and opened with the keys. */
import type { Payload, PayloadCodec } from '@temporalio/common';

/** A payload in Temporal's JSON: bytes in base64. It is also what the codec endpoint takes. */
export interface JsonPayload {
  metadata: Record<string, string>;
  data?: string;
}

/** Every payload that stands anywhere in parsed JSON. */
export function payloadsIn(json: unknown): JsonPayload[] {
  if (typeof json !== 'object' || json === null) return [];
  if (isPayload(json)) return [json];
  return Object.values(json).flatMap(payloadsIn);
}

function isPayload(value: object): value is JsonPayload {
  if (!('metadata' in value) || typeof value.metadata !== 'object' || value.metadata === null) return false;
  return 'encoding' in value.metadata;
}

/** How a payload is encoded: `json/plain`, or `binary/encrypted` where it is sealed. */
export function encodingOf({ metadata }: JsonPayload): string {
  return Buffer.from(metadata['encoding'] ?? '', 'base64').toString('utf8');
}

/** A payload's bytes as text. */
export function textOf({ data }: JsonPayload): string {
  return Buffer.from(data ?? '', 'base64').toString('utf8');
}

/** Opens payloads; those that nobody sealed stay as they are. */
export async function opened(
  payloads: readonly JsonPayload[],
  codecs: readonly PayloadCodec[],
): Promise<string[]> {
  let current: Payload[] = payloads.map(({ metadata, data }) => ({
    metadata: Object.fromEntries(
      Object.entries(metadata).map(([key, value]) => [key, Buffer.from(value, 'base64')]),
    ),
    data: Buffer.from(data ?? '', 'base64'),
  }));
  for (const codec of codecs) current = await codec.decode(current);
  return current.map(({ data }) => Buffer.from(data ?? []).toString('utf8'));
}
