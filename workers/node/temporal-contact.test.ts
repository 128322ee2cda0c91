import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { pino } from 'pino';
import { FENCE_AFTER_MS } from '../../domain/fence.js';
import { refusesConnections, TemporalContact } from './temporal-contact.js';

/** A contact whose Temporal answers, refuses or is silent as the test says, by a clock of the test's. */
function aContact(t: TestContext, folder = mkdtempSync(join(tmpdir(), 'drover-contact-'))) {
  const clock = { now: Date.now() };
  const temporal: { is: 'up' | 'down' | 'cut' } = { is: 'up' };
  const asks = { count: 0 };
  let onLost: () => void = () => undefined;
  const contact = new TemporalContact({
    isRefused: () => Promise.resolve(temporal.is === 'down'),
    file: join(folder, 'temporal-contact'),
    onLost: () => onLost(),
    log: pino({ level: 'silent' }),
    now: () => clock.now,
    lookEveryMs: 5,
  });
  const start = () =>
    contact.start(() => {
      asks.count += 1;
      return temporal.is === 'up' ? Promise.resolve() : Promise.reject(new Error('no answer'));
    });
  const lost = new Promise<void>((resolve) => (onLost = resolve));
  const awake = setInterval(() => undefined, 1_000);
  t.after(() => {
    contact.stop();
    clearInterval(awake);
    rmSync(folder, { recursive: true, force: true });
  });
  /** Resolves when it has looked again, twice. */
  const looked = async () => {
    const enough = asks.count + 2;
    while (asks.count < enough) await new Promise((resolve) => setTimeout(resolve, 2));
  };
  return { contact, start, clock, temporal, lost, looked, folder };
}

test('design 2.7: silence for as long as a fence is a loss, told once; an answer ends it', async (t) => {
  const { contact, start, clock, temporal, lost, looked } = aContact(t);
  start();
  await looked();
  temporal.is = 'cut';
  await looked();
  clock.now += FENCE_AFTER_MS - 1;
  assert.equal(contact.inTouch(), true);
  clock.now += 1;
  assert.equal(contact.inTouch(), false);
  await lost;
  temporal.is = 'up';
  await looked();
  assert.equal(contact.inTouch(), true);
});

test('design 4: a Temporal that restarts is down for everybody, and nobody takes anything over meanwhile', async (t) => {
  const { contact, start, clock, temporal, looked } = aContact(t);
  start();
  await looked();
  temporal.is = 'down';
  for (let second = 0; second < 3; second++) {
    clock.now += FENCE_AFTER_MS - 1;
    await looked();
    assert.equal(contact.inTouch(), true);
  }
});

test('the next worker knows when the one before was last in touch', async (t) => {
  const first = aContact(t);
  first.contact.heard(first.clock.now - 5_000);
  const second = aContact(t, first.folder);
  second.clock.now = first.clock.now + FENCE_AFTER_MS - 5_001;
  assert.equal(second.contact.inTouch(), true);
  second.clock.now += 2;
  assert.equal(second.contact.inTouch(), false);
  assert.equal(aContact(t).contact.inTouch(), false, 'a node without a past was never in touch');
});

test('an address is refused where nothing listens, and not where something does', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  assert.equal(await refusesConnections(address), false);
  await new Promise((resolve) => server.close(resolve));
  assert.equal(await refusesConnections(address), true);
});
