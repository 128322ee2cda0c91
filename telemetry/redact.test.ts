import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { redactSecrets } from './redact.js';

test('B-RED-001: a bearer token is replaced, however it is written', () => {
  for (const scheme of ['Bearer', 'bearer', 'BEARER', 'bEaReR']) {
    assert.equal(redactSecrets(`asked with ${scheme} abc.DEF-1_2/3+4= twice`), 'asked with [REDACTED] twice');
  }
  assert.equal(redactSecrets('a standard-bearer, and a bearer'), 'a standard-bearer, and a bearer');
});

test('B-RED-002, B-RED-004: values of whatever is named key, token, secret or password are replaced, all of them', () => {
  for (const name of ['api_key', 'apikey', 'API-Key', 'key', 'Token', 'secret', 'PASSWORD']) {
    for (const separator of ['=', ':', ': ', ' = ']) {
      assert.equal(
        redactSecrets(`${name}${separator}s3cr3t-value next`),
        `${name}${separator}[REDACTED] next`,
      );
    }
  }
  assert.equal(
    redactSecrets(
      'https://a/?token=abc123x&n=1#key=zzz {"password":"two words","secret": "x"} password="a b"',
    ),
    'https://a/?token=[REDACTED]&n=1#key=[REDACTED] {"password":"[REDACTED]","secret": "[REDACTED]"} password="[REDACTED]"',
  );
});

test('B-RED-003: UUIDs stay, unless they shall go', () => {
  const text = 'run 3f2504e0-4f89-41d3-9a0c-0305e82c3301 ended';
  assert.equal(redactSecrets(text), text);
  assert.equal(redactSecrets(text, { uuids: true }), 'run [REDACTED] ended');
});

test('B-RED-005: what is no secret stays as it is', () => {
  for (const text of [
    'tokens_out=42, first_token_ms: 12, max_tokens=8',
    'done by token:abc123 and token:09fe41',
    'the key of the pool, a token of thanks: none',
    '{"key":5,"token":null,"secret":true,"keys":["a"]}',
    '',
  ]) {
    assert.equal(redactSecrets(text), text);
  }
});

test('a line of JSON stays one, with a secret in it or in text that it quotes', () => {
  const line = JSON.stringify({ msg: 'bad {"token":"abc"} and password: "x y"', token: 'abc', key: 5 });
  const read = JSON.parse(redactSecrets(line)) as Record<string, unknown>;
  assert.deepEqual(read, {
    msg: 'bad {"token":"[REDACTED]"} and password: "[REDACTED]"',
    token: '[REDACTED]',
    key: 5,
  });
});

test('B-RED-007: text that means to be slow to look through is looked through all the same', () => {
  // A million of each: what goes over them twice for every place is not done tomorrow.
  const source = `import(${JSON.stringify(new URL('./redact.ts', import.meta.url).href)}).then(({ redactSecrets }) => {
    const pieces = ['Bearer ', 'bearer  ', 'key: ', 'key=', 'token:"', 'a', ' ', '\\\\"', 'password" : "', 'api_', '0-'];
    for (const piece of pieces) redactSecrets(piece.repeat(1_000_000), { uuids: true });
    process.stdout.write('done');
  });`;
  const { stdout } = spawnSync(process.execPath, ['--import', 'tsx', '-e', source], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.equal(stdout, 'done');
});
