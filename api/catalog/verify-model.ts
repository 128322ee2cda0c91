/**
 * Verification of a model: its files are read and their digest compared (B-CAT-020..026). Large ones take minutes, so the
 * answer does not wait for them; one that this process does not finish is asked for again.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { DroverError } from '../../contracts/errors.js';
import type { Verification } from '../../contracts/model.js';
import type { ModelRecord, Models } from '../../store/models.js';
import type { Logger } from '../../telemetry/logger.js';
import type { Metrics } from '../../telemetry/metrics.js';
import type { ModelFiles } from './model-files.js';

/** What verification works with. */
export interface VerifierDeps {
  models: Models;
  files: ModelFiles;
  metrics: Pick<Metrics, 'catalogVerifications'>;
  log: Pick<Logger, 'info' | 'warn'>;
  /** The verdicts of admission must be formed anew. */
  onVerified: () => Promise<void>;
}

/** Verifies models. */
export interface Verifier {
  /**
   * Answers when the model is verified, or after a moment while that goes on.
   * @throws DroverError MODEL_NOT_FOUND; ADMISSION_REJECT when too many are being read
   */
  verify: (id: string) => Promise<{ record: ModelRecord; running: boolean }>;
  /** Ends what runs; it is not noted. */
  close: () => Promise<void>;
}

/** A file of a gigabyte is read in about this time. */
const WAIT_MS = 2_000;
/** They share a disk: more at once are slower each. */
const AT_ONCE = 4;
/** Algorithms of `modelDigest` that Node computes everywhere. */
const COMPUTED = ['sha256', 'sha384', 'sha512'];
/** For what has no digest to be compared with. */
const DEFAULT_ALGORITHM = 'sha256';

/** Builds the verifier. */
export function createVerifier(deps: VerifierDeps): Verifier {
  const running = new Map<string, Promise<ModelRecord | undefined>>();
  const ending = new AbortController();

  async function verifyNow(model: ModelRecord): Promise<ModelRecord | undefined> {
    const verification = await judge(model, deps.files, ending.signal);
    const { result, reason } = verification;
    const record = await deps.models.setVerification(model, verification);
    await deps.onVerified();
    deps.metrics.catalogVerifications.inc({ result, reason, engine: '' });
    const line = { event: 'model_verified', model_id: model.id, result, reason };
    if (reason === 'match') deps.log.info(line, 'model verified');
    else deps.log.warn(line, 'model verified, but not against its digest');
    return record;
  }

  function begin(model: ModelRecord): Promise<ModelRecord | undefined> {
    const known = running.get(model.id);
    if (known !== undefined) return known;
    if (running.size >= AT_ONCE) {
      throw new DroverError('ADMISSION_REJECT', `${AT_ONCE} models are being verified already`);
    }
    const verifying = verifyNow(model).finally(() => running.delete(model.id));
    verifying.catch((err: unknown) => {
      if (!ending.signal.aborted)
        deps.log.warn({ err, event: 'verification_failed', model_id: model.id }, 'could not verify');
    });
    running.set(model.id, verifying);
    return verifying;
  }

  return {
    async verify(id) {
      const model = await deps.models.get(id);
      if (model === undefined) throw modelNotFound();
      const late = new AbortController();
      const verified = await Promise.race([
        begin(model),
        delay(WAIT_MS, 'late' as const, { signal: late.signal, ref: false }),
      ]).finally(() => late.abort());
      if (verified === 'late') return { record: model, running: true };
      if (verified === undefined) throw modelNotFound(); // Removed, or given another digest, meanwhile.
      return { record: verified, running: false };
    },
    async close() {
      ending.abort();
      await Promise.allSettled(running.values());
    },
  };
}

/** The catalogue's 404, in the words of its contract (B-CAT-012). */
export function modelNotFound(): DroverError {
  return new DroverError('MODEL_NOT_FOUND', 'not found');
}

async function judge(model: ModelRecord, files: ModelFiles, signal: AbortSignal): Promise<Verification> {
  const [algorithm = DEFAULT_ALGORITHM, expected] = model.digest?.split(':') ?? [];
  if (!COMPUTED.includes(algorithm)) return { result: 'fail', reason: 'unsupported_digest', digest: null };
  const found = await files.digest(model.id, algorithm, signal);
  if (found === undefined) return { result: 'fail', reason: 'files_missing', digest: null };
  const digest = `${algorithm}:${found}`;
  if (expected === undefined) return { result: 'pass', reason: 'no_expected_digest', digest };
  return found === expected
    ? { result: 'pass', reason: 'match', digest }
    : { result: 'fail', reason: 'mismatch', digest };
}
