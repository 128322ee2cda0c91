import assert from 'node:assert/strict';
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { newPayloadKey, parsePayloadKeys } from '../../security/payload-keys.js';
import { openRunLog, readRunLog, type LogRecord } from './run-log.js';

const ring = parsePayloadKeys(newPayloadKey());
const folder = mkdtempSync(join(tmpdir(), 'drover-log-'));
const freshPath = () => join(mkdtempSync(join(folder, 'log-')), 'run-t.log');
after(() => {
  rmSync(folder, { recursive: true });
});
const token = (offset: number, t: string): LogRecord => ({
  kind: 'frame',
  frame: { offset, epoch: 1, type: 'token', data: { t, i: offset } },
  ids: [offset + 100],
  at_ms: 5,
});

test('records come back in order, whole, from a file that only its owner may read', () => {
  const path = freshPath();
  const log = openRunLog(path, ring, true);
  const records: LogRecord[] = [
    { kind: 'confirmed', epoch: 1, at_ms: 1 },
    token(0, 'tea ☕'),
    token(1, ' now'),
  ];
  log.append(records.slice(0, 1));
  log.append(records.slice(1));
  log.close();
  assert.deepEqual(readRunLog(path, ring), records);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(
    log.frames().map((frame) => frame.offset),
    [0, 1],
  );
});

test('B-RED-010: nothing that a run says can be read in its log without the key', () => {
  const path = freshPath();
  const log = openRunLog(path, ring, true);
  log.append([token(0, 'a-canary-in-the-text')]);
  log.close();
  assert.equal(readFileSync(path).includes('canary'), false);
  assert.throws(() => readRunLog(path, parsePayloadKeys(newPayloadKey())), /not configured/);
});

test('a tail that a crash tore is cut at the last whole record, wherever it was torn', () => {
  const path = freshPath();
  const log = openRunLog(path, ring, true);
  log.append([token(0, 'first')]);
  const whole = statSync(path).size;
  log.append([token(1, 'second')]);
  log.close();
  const bytes = readFileSync(path);
  for (let size = whole; size < bytes.length; size++) {
    writeFileSync(path, bytes);
    truncateSync(path, size);
    assert.deepEqual(readRunLog(path, ring), [token(0, 'first')], `torn at ${size}`);
    assert.equal(statSync(path).size, whole);
  }
});

test('bytes that are damaged end the log there, and the log goes on after the cut', () => {
  const path = freshPath();
  const log = openRunLog(path, ring, true);
  log.append([token(0, 'first')]);
  log.close();
  appendFileSync(path, Buffer.alloc(64, 0xff));
  assert.equal(readRunLog(path, ring).length, 1);
  const again = openRunLog(path, ring, false);
  again.append([token(1, 'second')]);
  again.close();
  assert.deepEqual(readRunLog(path, ring), [token(0, 'first'), token(1, 'second')]);
});

test('a log that is there is not begun anew, and a closed one takes nothing', () => {
  const path = freshPath();
  const log = openRunLog(path, ring, true);
  assert.throws(() => openRunLog(path, ring, true), /EEXIST/);
  log.close();
  assert.throws(() => {
    log.append([token(0, 'x')]);
  }, /closed/);
});
