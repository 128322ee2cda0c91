/**
 * The key under which histories are recorded and replayed. It is public on purpose and seals nothing but the made-up
 * payloads of `workflows/histories/`: a history recorded under a real key could not be replayed by others.
 */
import { payloadCodec } from '../../security/payload-codec.js';
import { parsePayloadKeys } from '../../security/payload-keys.js';
import { temporalDataConverter } from '../../workers/temporal.js';

const HISTORY_PAYLOAD_KEY = `histories:${Buffer.alloc(32, 'drover').toString('base64')}`;

const ring = parsePayloadKeys(HISTORY_PAYLOAD_KEY);

/** Converter of the recorded histories. */
export const historyDataConverter = temporalDataConverter(ring);

/** Their codec alone. */
export const historyCodec = payloadCodec(ring);
