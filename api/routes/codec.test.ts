import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { payloadCodec } from '../../security/payload-codec.js';
import { newPayloadKey, parsePayloadKeys } from '../../security/payload-keys.js';
import { startTestApi, type TestApi } from '../testing/test-api.js';

const SECRET = 'unguessable-0123456789';
const UI = 'http://localhost:8233';
const codec = payloadCodec(parsePayloadKeys(newPayloadKey()));

interface JsonPayloads {
  payloads: { metadata: Record<string, string>; data: string }[];
}
const base64 = (text: string) => Buffer.from(text).toString('base64');
const plain: JsonPayloads = {
  payloads: [
    { metadata: { encoding: base64('json/plain') }, data: base64('{"prompt":"Once"}') },
    { metadata: { encoding: base64('binary/null') }, data: '' },
  ],
};

describe('the codec endpoint', () => {
  let api: TestApi;
  before(async () => {
    const env = { DROVER_CODEC_SECRET: SECRET, DROVER_UI_ORIGIN: UI };
    api = await startTestApi({ env, codec });
  });
  after(() => api.close());

  const post = (
    verb: string,
    payload: object,
    over: { secret?: string; origin?: string; remoteAddress?: string } = {},
  ) => {
    const { secret = SECRET, origin, ...from } = over;
    const headers = { 'x-api-key': '', ...(origin === undefined ? {} : { origin }) };
    return api.ask('POST', `/codec/${secret}/${verb}`, { payload, headers, ...from });
  };

  it('B-RED-010: seals payloads and opens them again, in the JSON that the UI and the command line speak', async () => {
    const sealed = await post('encode', plain);
    assert.equal(sealed.statusCode, 200);
    assert.doesNotMatch(
      Buffer.from(sealed.json<JsonPayloads>().payloads[0]?.data ?? '', 'base64').toString(),
      /Once/,
    );
    const opened = await post('decode', sealed.json());
    assert.deepEqual(opened.json(), plain);
  });

  it('B-RED-010: opens what a workflow wrote', async () => {
    const [payload] = await codec.encode([
      { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('7') },
    ]);
    const json = { metadata: {}, data: '' };
    json.data = Buffer.from(payload?.data ?? []).toString('base64');
    json.metadata = Object.fromEntries(
      Object.entries(payload?.metadata ?? {}).map(([key, value]) => [
        key,
        Buffer.from(value).toString('base64'),
      ]),
    );
    const opened = await post('decode', { payloads: [json] });
    assert.equal(opened.json<JsonPayloads>().payloads[0]?.data, base64('7'));
  });

  it('lets the UI of this machine in from its page, and no other origin', async () => {
    const preflight = (origin: string) =>
      api.ask('OPTIONS', `/codec/${SECRET}/decode`, {
        headers: {
          origin,
          'x-api-key': '',
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'content-type,x-namespace',
        },
      });
    const allowed = await preflight(UI);
    assert.equal(allowed.statusCode, 204);
    assert.equal(allowed.headers['access-control-allow-origin'], UI);
    assert.match(String(allowed.headers['access-control-allow-headers']), /content-type.*x-namespace/);
    const other = await preflight('http://evil.example');
    assert.equal(other.headers['access-control-allow-origin'], undefined);
    const answer = await post('decode', { payloads: [] }, { origin: UI });
    assert.equal(answer.headers['access-control-allow-origin'], UI);
    assert.equal(answer.headers['vary'], 'origin');
  });

  it('does not exist without the secret, or for another machine', async () => {
    for (const answer of [
      await post('decode', plain, { secret: 'guess' }),
      await post('decode', plain, { remoteAddress: '10.0.0.9' }),
    ]) {
      assert.equal(answer.statusCode, 404);
      assert.equal(answer.json<{ code: string }>().code, 'ROUTE_NOT_FOUND');
    }
    assert.equal(
      (await post('decode', { payloads: [] }, { remoteAddress: '::ffff:127.0.0.1' })).statusCode,
      200,
    );
  });

  it('is not there at all while no secret is set', async () => {
    const without = await startTestApi({ codec });
    assert.equal((await without.ask('POST', `/codec/${SECRET}/decode`, { payload: plain })).statusCode, 404);
    await without.close();
  });

  it('is in no description, and its secret in no log', async () => {
    await post('decode', { payloads: 'wrong' });
    await api.ask('GET', `/codec/${SECRET}/other`, { headers: { 'x-api-key': 'wrong' } });
    assert.doesNotMatch(JSON.stringify(api.app.swagger()), /codec/);
    assert.doesNotMatch(JSON.stringify(api.log), new RegExp(SECRET));
  });
});
