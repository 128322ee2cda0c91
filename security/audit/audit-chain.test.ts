import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { chainEntry, verifyChain, type AuditEntry } from './audit-chain.js';

/** A chain of this many entries. */
function aChain(length: number): AuditEntry[] {
  const entries: AuditEntry[] = [];
  for (let index = 0; index < length; index += 1) {
    const event = { event_type: 'pool_drain', actor: 'token:9f86d0', details: { index, gone: undefined } };
    entries.push(chainEntry(event, 1_000 * index, entries.at(-1)?.entry_hash ?? '0000000000000000'));
  }
  return entries;
}

const verdictOf = (entries: readonly unknown[]) =>
  verifyChain(entries.map((entry, index) => ({ place: `line ${index}`, line: JSON.stringify(entry) })));

test('B-AUDIT-003, B-AUDIT-005: an entry has exactly its fields, and the hash of the one before it', () => {
  const [first, second] = aChain(2);
  assert.deepEqual(Object.keys(first!).sort(), [
    ...['actor', 'details', 'entry_hash', 'event_type', 'previous_hash', 'timestamp'],
  ]);
  assert.equal(first?.timestamp, '1970-01-01T00:00:00.000Z');
  assert.equal(first.previous_hash, '0000000000000000');
  assert.equal(second?.previous_hash, first.entry_hash);
  const content =
    '{"actor":"token:9f86d0","details":{"index":0},"event_type":"pool_drain","previous_hash":"0000000000000000","timestamp":"1970-01-01T00:00:00.000Z"}';
  assert.equal(first.entry_hash, createHash('sha256').update(content).digest('hex'));
});

test('an untouched chain is as it was written; one whose beginning was moved away says after what it begins', async () => {
  const chain = aChain(4);
  const whole = await verdictOf(chain);
  assert.deepEqual(whole, { entries: 4, beginsAfter: '0000000000000000', broken: undefined, doubtful: [] });
  const rest = await verdictOf(chain.slice(2));
  assert.deepEqual([rest.broken, rest.beginsAfter], [undefined, chain[1]?.entry_hash]);
});

for (const [what, change, at, problem] of [
  ['changed', (chain) => chain.with(1, { ...chain[1]!, actor: 'token:000000' }), 1, 'was changed'],
  [
    'with another detail',
    (chain) => chain.with(1, { ...chain[1]!, details: { index: 7 } }),
    1,
    'was changed',
  ],
  ['taken out', (chain) => chain.toSpliced(1, 1), 1, 'does not follow the entry before it'],
  [
    'put in',
    (chain) => chain.toSpliced(1, 0, chainEntry({ event_type: 'x', actor: 'x', details: {} }, 1, 'x')),
    1,
    'does not follow the entry before it',
  ],
  ['exchanged for a line that is none', (chain) => chain.with(1, {} as AuditEntry), 1, 'is no entry'],
] as [string, (chain: AuditEntry[]) => AuditEntry[], number, string][]) {
  test(`B-AUDIT-004: an entry ${what} is named, and all after it are in doubt`, async () => {
    const changed = change(aChain(4));
    const { broken, doubtful } = await verdictOf(changed);
    assert.deepEqual(broken, { place: `line ${at}`, problem });
    assert.deepEqual(
      doubtful,
      changed.slice(at + 1).map((_, index) => `line ${at + 1 + index}`),
    );
  });
}
