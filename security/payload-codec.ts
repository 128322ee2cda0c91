/** Temporal's payloads sealed: inputs, results, memos, summaries and, by the failure converter, failures (design §2.6). */
import type { DataConverter, Payload, PayloadCodec } from '@temporalio/common';
import proto from '@temporalio/proto';
import type { KeyRing } from './payload-keys.js';

// The package is CommonJS without names that Node can see, hence the default import.
const PayloadMessage = proto.temporal.api.common.v1.Payload;

/** `metadata.encoding` of a payload that this codec sealed. */
export const SEALED_ENCODING = 'binary/encrypted';

const text = (bytes: Uint8Array | null | undefined): string => Buffer.from(bytes ?? []).toString('utf8');

/** Seals each payload whole, metadata included; what is not sealed by us passes decode untouched. */
export function payloadCodec(ring: KeyRing): PayloadCodec {
  return {
    encode: (payloads) => Promise.resolve(payloads.map((payload) => sealPayload(ring, payload))),
    decode: (payloads) => Promise.resolve(payloads.map((payload) => openPayload(ring, payload))),
  };
}

function sealPayload(ring: KeyRing, payload: Payload): Payload {
  const { keyId, bytes } = ring.seal(PayloadMessage.encode(payload).finish());
  return {
    metadata: { encoding: Buffer.from(SEALED_ENCODING), 'encryption-key-id': Buffer.from(keyId) },
    data: bytes,
  };
}

function openPayload(ring: KeyRing, payload: Payload): Payload {
  if (text(payload.metadata?.['encoding']) !== SEALED_ENCODING) return payload;
  const keyId = text(payload.metadata?.['encryption-key-id']);
  return PayloadMessage.decode(ring.open({ keyId, bytes: payload.data ?? new Uint8Array() }));
}

/**
 * The data converter of every Temporal client and worker of an installation.
 * @param failureConverterPath - file that exports `failureConverter`; Temporal loads it by path into the sandbox too.
 */
export function sealedDataConverter(ring: KeyRing, failureConverterPath: string): DataConverter {
  return { payloadCodecs: [payloadCodec(ring)], failureConverterPath };
}
