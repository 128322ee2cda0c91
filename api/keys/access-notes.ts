/** Who was let in and who was not, in the audit log (B-AUDIT-002): bounded, whatever the door is hammered with. */
import type { AuditEvent } from '../../security/audit/audit-chain.js';
import type { Audit } from '../../security/audit/audit-log.js';

type Where = AuditEvent['details'];

/** Takes notes. */
export interface AccessNotes {
  /** One entry an hour and identity. */
  accepted: (identity: string, where: Where) => void;
  /** One entry each, as long as they are few; then the next one tells how many there were. */
  refused: (identity: string, reason: string, where: Where) => void;
}

const ACCEPTED_EVERY_MS = 3_600_000;
/** Behind a proxy that vouches for them there may be any number. */
const MOST_IDENTITIES = 10_000;
const REFUSED_A_MINUTE = 60;
const MINUTE_MS = 60_000;

/** Builds the notes. */
export function createAccessNotes(audit: Audit, now: () => number): AccessNotes {
  const acceptedAt = new Map<string, number>();
  const refusals = { sinceMs: Number.NEGATIVE_INFINITY, noted: 0, untold: 0 };
  return {
    accepted(identity, where) {
      const last = acceptedAt.get(identity);
      if (last !== undefined && now() - last < ACCEPTED_EVERY_MS) return;
      if (acceptedAt.size >= MOST_IDENTITIES) acceptedAt.clear();
      acceptedAt.set(identity, now());
      const details = { reason: 'the key is accepted', ...where };
      void audit.record({ event_type: 'auth_success', actor: identity, details });
    },
    refused(identity, reason, where) {
      if (now() - refusals.sinceMs >= MINUTE_MS) {
        refusals.sinceMs = now();
        refusals.noted = 0;
      }
      if (refusals.noted >= REFUSED_A_MINUTE) {
        refusals.untold += 1;
        return;
      }
      refusals.noted += 1;
      const { untold } = refusals;
      refusals.untold = 0;
      const details = { reason, ...where, ...(untold === 0 ? {} : { untold_before: untold }) };
      void audit.record({ event_type: 'auth_failure', actor: identity, details });
    },
  };
}
