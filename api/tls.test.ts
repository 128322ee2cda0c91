import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { get as getPlain, type IncomingMessage } from 'node:http';
import { get, type RequestOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { selfSignedFiles } from '../testing/self-signed.js';
import { askApi } from '../stack/ask-api.js';
import { KEY, startTestApi } from './testing/test-api.js';

const folder = mkdtempSync(join(tmpdir(), 'drover-https-'));
after(() => rmSync(folder, { recursive: true }));

const { certFile, keyFile } = selfSignedFiles(folder);
const TLS = { DROVER_TLS_CERT: certFile, DROVER_TLS_KEY: keyFile };

/** Status and headers of an answer over TLS. */
async function ask(options: RequestOptions) {
  const request = get({ ...options, path: '/v2/pools', headers: { 'x-api-key': KEY } });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  response.resume();
  return { status: response.statusCode, headers: response.headers };
}

test('with a certificate the API speaks TLS alone, tells browsers to stay with it, and the stack knows it by it', async () => {
  const api = await startTestApi({ env: TLS });
  await api.app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = api.app.server.address() as AddressInfo;
  const answer = await ask({ host: '127.0.0.1', port, ca: readFileSync(certFile) });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers['strict-transport-security'], 'max-age=31536000');
  await assert.rejects(ask({ host: '127.0.0.1', port }), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
  const tooOld = { maxVersion: 'TLSv1.1', minVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
  await assert.rejects(ask({ host: '127.0.0.1', port, ca: readFileSync(certFile), ...tooOld }));
  await assert.rejects(once(getPlain({ host: '127.0.0.1', port }), 'response'));
  const signal = AbortSignal.timeout(5_000);
  const health = await askApi(TLS)(`https://localhost:${port}/healthz`, { signal });
  assert.equal(health.ok, true);
  const other = selfSignedFiles(folder, 'other');
  const stranger = askApi({ DROVER_TLS_CERT: other.certFile });
  await assert.rejects(stranger(`https://localhost:${port}/healthz`, { signal }));
  await api.close();
});

test('without a certificate no browser is told to come by TLS', async () => {
  const api = await startTestApi();
  assert.equal((await api.ask('GET', '/healthz')).headers['strict-transport-security'], undefined);
  await api.close();
});
