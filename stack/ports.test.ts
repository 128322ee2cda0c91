import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { claimPort, nextFreePort } from './ports.js';

describe('ports', () => {
  let holder: Server;
  let taken: number;
  before(async () => {
    holder = createServer();
    await once(holder.listen(0, '127.0.0.1'), 'listening');
    taken = (holder.address() as AddressInfo).port;
  });
  after(() => holder.close());

  it('tell which one is taken and which setting to change', async () => {
    await assert.rejects(claimPort('127.0.0.1', taken, 'DROVER_API_PORT'), {
      name: 'StackError',
      message: new RegExp(`port ${taken} .* taken .* DROVER_API_PORT`),
    });
  });

  it('are chosen where the setting says 0', async () => {
    assert.ok((await claimPort('127.0.0.1', 0, 'DROVER_API_PORT')) > 0);
  });

  it('are looked for upwards where nobody named one', async () => {
    assert.ok((await nextFreePort('127.0.0.1', taken)) > taken);
  });

  it('name the setting of an address that is not of this machine', async () => {
    await assert.rejects(claimPort('192.0.2.1', 80, 'DROVER_API_HOST'), { message: /DROVER_API_HOST/ });
  });
});
