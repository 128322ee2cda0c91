/** A second look at the memory, right before an engine is spawned: others may have taken it since preflight (B-WPRE-005). */
import type { PreparedEngine } from '../../contracts/pool.js';
import type { NodeActivityDeps } from '../deps.js';
import { poolFailure } from '../failures.js';
import type { RamReading } from './preflight.js';

const MIB = 1024 ** 2;

/** @throws ApplicationFailure `InsufficientRam` when there is less now than the engine needs */
export function requireMemory(
  { machine }: Pick<NodeActivityDeps, 'machine'>,
  { pool_id, replica_id }: PreparedEngine,
  { required_bytes, available_bytes: before }: RamReading,
): void {
  const now = machine.freeMemoryBytes();
  if (now >= required_bytes) return;
  const message =
    `free memory decreased from ${before} to ${now} bytes since preflight, ` +
    `and the model needs about ${required_bytes} (required)`;
  const cause = {
    cause_code: 'INSUFFICIENT_RAM',
    required_mb: Math.ceil(required_bytes / MIB),
    available_mb: Math.floor(now / MIB),
    available_before_mb: Math.floor(before / MIB),
    suggested_action: 'close what has taken the memory, or take a smaller quantisation or context',
  };
  throw poolFailure('InsufficientRam', message, { pool_id, replica_id, cause });
}
