import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { bootId } from '../activities/process/process-identity.js';
import { spawnDetached } from '../activities/process/spawn-detached.js';
import { claim } from './claim.js';
import { placesIn, type Places } from './places.js';
import {
  identify,
  isRunning,
  stackRecord,
  writeStack,
  type ProcessRecord,
  type StackRecord,
} from './stack-record.js';

describe('the claim on a state folder', () => {
  let places: Places;
  let me: ProcessRecord;
  beforeEach(async () => {
    places = placesIn(await mkdtemp(join(tmpdir(), 'drover-claim-')));
    const found = await identify('stack', process.pid);
    assert.ok(found);
    me = found;
  });
  afterEach(() => rm(places.stateDir, { recursive: true }));

  const said: string[] = [];
  const ask = () => claim(places, (line) => said.push(line), new AbortController().signal);
  const dead = async (): Promise<ProcessRecord> => ({
    ...{ name: 'stack', pid: 4_194_303, start_ticks: '1' },
    boot_id: await bootId(),
  });
  const record = (changes: Partial<StackRecord>): StackRecord => ({
    ...{ phase: 'up', owner: me, guardian: null, urls: null, processes: [], ...changes },
  });

  it('is ours when nobody holds it, and written down', async () => {
    assert.ok('claimed' in (await ask()));
    const written = stackRecord.parse(JSON.parse(await readFile(places.stackFile, 'utf8')));
    assert.equal(written.owner.pid, process.pid);
  });

  it('finds a live stack by its owner and its API', async () => {
    const server = createServer((_, response) => response.end('{}'));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    try {
      const api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const urls = { api, temporal: 'x:1', temporal_ui: null };
      await writeStack(places.stackFile, record({ urls }));
      assert.deepEqual(await ask(), { live: urls });
    } finally {
      server.close();
    }
  });

  it('is refused when the stack runs but its API does not answer', async () => {
    const urls = { api: 'http://127.0.0.1:1', temporal: 'x:1', temporal_ui: null };
    await writeStack(places.stackFile, record({ urls }));
    await assert.rejects(ask(), { name: 'StackError', message: /does not answer at http:\/\/127.0.0.1:1/ });
  });

  it('ends what a killed stack left, and is ours then', async () => {
    const child = await spawnDetached({
      ...{ command: process.execPath, args: ['--eval', 'setInterval(() => {}, 1e6)'], env: {} },
      ...{ cwd: places.stateDir, logFile: join(places.stateDir, 'x.log') },
    });
    const left = { name: 'temporal', pid: child.pid, start_ticks: child.startTicks, boot_id: await bootId() };
    await writeStack(places.stackFile, record({ owner: await dead(), processes: [left] }));
    assert.ok('claimed' in (await ask()));
    assert.equal(await isRunning(left), false);
  });

  for (const content of ['', '{"phase":', 'null', '\0\xff']) {
    it(`is ours when the record stays ${JSON.stringify(content)}, which is set aside with a line`, async () => {
      await writeFile(places.stackFile, content);
      assert.ok('claimed' in (await ask()));
      stackRecord.parse(JSON.parse(await readFile(places.stackFile, 'utf8')));
      assert.equal(await readFile(`${places.stackFile}.unreadable`, 'utf8'), content);
      assert.match(said.at(-1) ?? '', /stack\.json cannot be read and is set aside/);
    });
  }
});
