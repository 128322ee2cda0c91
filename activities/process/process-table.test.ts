import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listProcesses, parsePs, parseStat, readProcess } from './process-table.js';

test('a name with spaces and parentheses does not shift the fields of /proc/<pid>/stat', () => {
  const fields = Array.from({ length: 30 }, (_, at) => String(at + 5)); // Field 5 is the group, 22 the start time.
  assert.deepEqual(parseStat(`4711 (a) R (b) S 17 ${fields.join(' ')}`), {
    pid: 4711,
    parentPid: 17,
    groupId: 5,
    startTicks: '22',
    zombie: false,
  });
  assert.equal(parseStat(`4711 (x) Z 17 ${fields.join(' ')}`)?.zombie, true);
  assert.equal(parseStat('4711 (x) R 17'), undefined);
});

test('the columns of ps are read where there is no /proc', () => {
  assert.deepEqual(parsePs('  501     1   501 Ss   Fri Nov 20 09:01:02 2026'), {
    pid: 501,
    parentPid: 1,
    groupId: 501,
    startTicks: 'Fri Nov 20 09:01:02 2026',
    zombie: false,
  });
  assert.equal(parsePs('  502   501   501 Z+   Fri Nov  6 09:01:02 2026')?.zombie, true);
  assert.equal(parsePs(''), undefined);
});

test('this process is in the table, by itself and among all', async () => {
  const self = await readProcess(process.pid);
  assert.equal(self?.parentPid, process.ppid);
  assert.ok((await listProcesses()).some((entry) => entry.pid === process.pid && !entry.zombie));
  assert.equal(await readProcess(2 ** 22 + 1), undefined); // Beyond the largest pid of Linux.
});
