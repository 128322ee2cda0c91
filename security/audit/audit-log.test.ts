import assert from 'node:assert/strict';
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { verifyChain, type AuditEntry } from './audit-chain.js';
import { chainsIn, linesOf } from './audit-files.js';
import { openAuditLog, type AuditLogOptions } from './audit-log.js';

const root = mkdtempSync(join(tmpdir(), 'drover-audit-'));
after(() => rmSync(root, { recursive: true }));
let folders = 0;

/** A folder of its own, and what was warned of. */
function aPlace(options: Partial<AuditLogOptions> = {}) {
  folders += 1;
  const folder = join(root, String(folders));
  const told: Record<string, unknown>[] = [];
  const tell = (fields: object) => void told.push(fields as Record<string, unknown>);
  const log = { warn: tell, error: tell };
  const open = (more: Partial<AuditLogOptions> = {}) =>
    openAuditLog({ folder, kind: 'api', log, now: Date.now, diskUse: async () => 0.5, ...options, ...more });
  return { folder, told, open };
}

const event = (index: number) => ({ event_type: 'pool_drain', actor: 'token:9f86d0', details: { index } });
const verdictOf = (folder: string, name = 'api') => verifyChain(linesOf(folder, name));
const entriesIn = (folder: string, name = 'api') =>
  readFileSync(join(folder, `${name}.jsonl`), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as AuditEntry);

test('B-AUDIT-003, B-AUDIT-005: what was recorded stands in the file as a chain, in its order, for its owner alone', async () => {
  const { folder, open } = aPlace();
  const audit = await open();
  await Promise.all(Array.from({ length: 50 }, (_, index) => audit.record(event(index))));
  assert.deepEqual(
    entriesIn(folder).map(({ details }) => details['index']),
    Array.from({ length: 50 }, (_, index) => index),
  );
  assert.deepEqual(await verdictOf(folder), {
    entries: 50,
    beginsAfter: '0000000000000000',
    broken: undefined,
    doubtful: [],
  });
  assert.equal(statSync(join(folder, 'api.jsonl')).mode & 0o777, 0o600);
  await audit.close();
});

test('B-AUDIT-010: the chain goes on after a restart, also where the end of a line was lost with its writer', async () => {
  const { folder, open } = aPlace();
  const first = await open();
  await first.record(event(1));
  await first.close();
  appendFileSync(join(folder, 'api.jsonl'), '{"timestamp":"2026-');
  const second = await open();
  await second.record(event(2));
  await second.close();
  const [one, two] = entriesIn(folder);
  assert.equal(two?.previous_hash, one?.entry_hash);
  assert.deepEqual([(await verdictOf(folder)).entries, (await verdictOf(folder)).broken], [2, undefined]);
});

test('B-AUDIT-006: a full file is archived, the next one goes on with its chain, also after a restart', async () => {
  const { folder, open } = aPlace({ limitBytes: 1_000 });
  for (const half of [0, 1]) {
    const audit = await open();
    for (let index = 0; index < 10; index += 1) await audit.record(event(half * 10 + index));
    await audit.close();
  }
  const files = readdirSync(folder).sort();
  assert.ok(files.length >= 3 && files.includes('api.000002.jsonl'), files.join());
  for (const file of files) assert.ok(statSync(join(folder, file)).size <= 1_000, file);
  assert.deepEqual(await verdictOf(folder), {
    entries: 20,
    beginsAfter: '0000000000000000',
    broken: undefined,
    doubtful: [],
  });
  const archive = join(folder, 'api.000001.jsonl');
  writeFileSync(archive, readFileSync(archive, 'utf8').replace('9f86d0', '000000'));
  assert.deepEqual((await verdictOf(folder)).broken, { place: 'api.000001.jsonl:1', problem: 'was changed' });
});

test('archives beyond the bytes that are kept go, the oldest first; the rest of the chain says after what it begins', async () => {
  const { folder, told, open } = aPlace({ limitBytes: 1_000, keptBytes: 2_000 });
  const audit = await open();
  for (let index = 0; index < 20; index += 1) await audit.record(event(index));
  await audit.close();
  const files = readdirSync(folder).sort();
  assert.equal(files.length, 3, files.join());
  assert.equal(files.includes('api.000001.jsonl'), false);
  assert.equal(told[0]?.['event'], 'audit_archives_removed');
  const { broken, beginsAfter } = await verdictOf(folder);
  assert.equal(broken, undefined);
  assert.match(beginsAfter ?? '', /^[0-9a-f]{64}$/);
});

test('B-AUDIT-006: unless a test says otherwise a file has 10 MB', async () => {
  const { folder, open } = aPlace();
  const line = `${JSON.stringify(event(0))}\n`;
  const audit = await open();
  await audit.record(event(1));
  const size = 10 * 1_048_576 - statSync(join(folder, 'api.jsonl')).size;
  await audit.close();
  appendFileSync(join(folder, 'api.jsonl'), `${'x'.repeat(size - line.length)}\n`);
  const again = await open();
  await again.record(event(2));
  await again.close();
  assert.ok(readdirSync(folder).includes('api.000001.jsonl'));
});

test('B-AUDIT-007: a disk that fills up is warned of at 95 %, at 99 % told as an error with a new file; entries go on', async () => {
  let [use, now] = [0.5, 0];
  const { folder, told, open } = aPlace({ diskUse: async () => use, now: () => now });
  const audit = await open();
  const recordAt = async (share: number) => {
    use = share;
    now += 10_000;
    await audit.record(event(now));
  };
  for (const share of [0.94, 0.95, 0.96, 0.98]) await recordAt(share);
  assert.deepEqual(
    told.map((line) => line['event']),
    ['audit_disk_nearly_full'],
  );
  assert.deepEqual(readdirSync(folder), ['api.jsonl']);
  for (const share of [0.99, 1]) await recordAt(share);
  assert.deepEqual(
    told.map((line) => line['event']),
    ['audit_disk_nearly_full', 'audit_disk_full'],
  );
  assert.deepEqual(readdirSync(folder).sort(), ['api.000001.jsonl', 'api.jsonl']);
  await audit.close();
  assert.deepEqual([(await verdictOf(folder)).entries, (await verdictOf(folder)).broken], [6, undefined]);
});

test('two processes in one folder have a chain each; an ended one leaves its chain to the next', async () => {
  const { folder, open } = aPlace();
  const [one, two] = [await open(), await open()];
  await Promise.all([one.record(event(1)), two.record(event(2))]);
  assert.deepEqual(await chainsIn(folder), ['api', 'api-2']);
  await one.close();
  const three = await open();
  await three.record(event(3));
  await Promise.all([two.close(), three.close()]);
  assert.deepEqual(
    entriesIn(folder).map(({ details }) => details['index']),
    [1, 3],
  );
  assert.deepEqual((await verdictOf(folder)).broken, undefined);
  assert.deepEqual((await verdictOf(folder, 'api-2')).entries, 1);
});

test('a folder that cannot be written loses entries and says so; the next one that is written counts them', async () => {
  const { folder, told, open } = aPlace({ limitBytes: 300 }); // Each entry has a file of its own.
  const audit = await open();
  await audit.record(event(1));
  rmSync(folder, { recursive: true });
  writeFileSync(folder, 'in the way');
  await audit.record(event(2));
  assert.deepEqual(
    told.map((line) => line['event']),
    ['audit_unwritten'],
  );
  rmSync(folder);
  await audit.record(event(3));
  await audit.close();
  const [loss, entry] = entriesIn(folder);
  assert.deepEqual(
    [loss?.event_type, loss?.details, entry?.details],
    ['entries_lost', { lost: 1 }, { index: 3 }],
  );
});
