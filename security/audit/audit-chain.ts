/** The chain of audit entries: each holds the hash of the one before it, so that none can be changed or taken out unseen. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { canonicalJson } from '../../domain/canonical-json.js';

/** What the very first entry has before it (B-AUDIT-003). */
export const FIRST_PREVIOUS_HASH = '0000000000000000';

/** What happened: ids, fingerprints and figures, never a secret (B-AUDIT-009). */
export interface AuditEvent {
  event_type: string;
  /** Who did it: `token:<fp6>`, `localhost`, `node:<id>`, `api`. */
  actor: string;
  details: Readonly<Record<string, string | number | boolean | null | undefined>>;
}

const auditEntry = z.strictObject({
  timestamp: z.iso.datetime(),
  event_type: z.string(),
  actor: z.string(),
  details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  previous_hash: z.string(),
  entry_hash: z.string(),
});

/** An entry of the log (B-AUDIT-005). */
export type AuditEntry = z.infer<typeof auditEntry>;

/** The entry of an event, behind the one that has `previousHash`. */
export function chainEntry(event: AuditEvent, atMs: number, previousHash: string): AuditEntry {
  const known = Object.entries(event.details).filter(([, value]) => value !== undefined);
  const entry = {
    timestamp: new Date(atMs).toISOString(),
    event_type: event.event_type,
    actor: event.actor,
    details: Object.fromEntries(known) as AuditEntry['details'],
    previous_hash: previousHash,
  };
  return { ...entry, entry_hash: hashOf(entry) };
}

/** An entry that a line of a log holds; undefined where it holds none. */
export function readEntry(line: string): AuditEntry | undefined {
  try {
    return auditEntry.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

/** A line of a log, and where it stands. */
export interface PlacedLine {
  place: string;
  line: string;
}

/** What became of a chain. */
export interface ChainVerdict {
  entries: number;
  /** What the first entry has before it; not {@link FIRST_PREVIOUS_HASH} where older files were moved away. */
  beginsAfter: string | undefined;
  /** First entry that is not what was written; undefined: all are. */
  broken: { place: string; problem: string } | undefined;
  /** Places of those after it: nothing vouches for them. */
  doubtful: string[];
}

/** Verifies a chain, the oldest line first (B-AUDIT-004). */
export async function verifyChain(
  lines: AsyncIterable<PlacedLine> | Iterable<PlacedLine>,
): Promise<ChainVerdict> {
  const verdict: ChainVerdict = { entries: 0, beginsAfter: undefined, broken: undefined, doubtful: [] };
  let previous: string | undefined;
  for await (const { place, line } of lines) {
    verdict.entries += 1;
    if (verdict.broken !== undefined) {
      verdict.doubtful.push(place);
      continue;
    }
    const entry = readEntry(line);
    verdict.beginsAfter ??= entry?.previous_hash;
    const problem = problemOf(entry, previous ?? entry?.previous_hash);
    if (problem !== undefined) verdict.broken = { place, problem };
    previous = entry?.entry_hash;
  }
  return verdict;
}

function problemOf(entry: AuditEntry | undefined, previous: string | undefined): string | undefined {
  if (entry === undefined) return 'is no entry';
  const { entry_hash, ...content } = entry;
  if (hashOf(content) !== entry_hash) return 'was changed';
  return entry.previous_hash === previous ? undefined : 'does not follow the entry before it';
}

function hashOf(content: Omit<AuditEntry, 'entry_hash'>): string {
  return createHash('sha256').update(canonicalJson(content)).digest('hex');
}
