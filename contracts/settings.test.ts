import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { test } from 'node:test';
import { DEFAULT_RESTART_POLICY } from '../domain/restart-policy.js';
import { withoutAliases } from './setting-aliases.js';
import { readSettings, settingsSchema, SettingsError } from './settings.js';
import { engineKind } from './task.js';

const refusal = (env: Record<string, string>) => {
  try {
    readSettings(env);
  } catch (err) {
    assert.ok(err instanceof SettingsError);
    return err.message;
  }
  return assert.fail('the settings were taken');
};

test('without any setting the documented defaults hold', () => {
  const settings = readSettings({});
  assert.equal(settings.DROVER_API_PORT, 8080);
  assert.equal(settings.DROVER_API_HOST, '127.0.0.1');
  assert.equal(settings.DROVER_NODE_ADDR, '127.0.0.1:9200');
  assert.ok(isAbsolute(settings.DROVER_STATE_DIR) && settings.DROVER_STATE_DIR.endsWith('.runtime'));
  assert.equal(settings.DROVER_ADMISSION_CAPACITY, 16);
});

test('B-CFG-009, B-CFG-011: the API listens on 127.0.0.1:8080, asks every caller for a key and trusts no proxy, unless it is told to', () => {
  const { DROVER_API_HOST, DROVER_API_PORT, AUTH_OPTIONAL, TRUST_PROXY_AUTH } = readSettings({});
  assert.deepEqual([DROVER_API_HOST, DROVER_API_PORT], ['127.0.0.1', 8080]);
  assert.deepEqual([AUTH_OPTIONAL, TRUST_PROXY_AUTH], [false, false]);
  const told = readSettings({
    ...{ DROVER_API_HOST: '::1', DROVER_API_PORT: '8181' },
    ...{ AUTH_OPTIONAL: 'true', TRUST_PROXY_AUTH: 'true' },
  });
  assert.deepEqual([told.DROVER_API_HOST, told.DROVER_API_PORT], ['::1', 8181]);
  assert.deepEqual([told.AUTH_OPTIONAL, told.TRUST_PROXY_AUTH], [true, true]);
  assert.match(refusal({ TRUST_PROXY_AUTH: 'perhaps' }), /^TRUST_PROXY_AUTH: /);
});

test('B-CFG-008, C-111: the token has three names, any of which does; two that differ stop the start', () => {
  const [token, other] = ['a-token-that-is-long-enough', 'another-token-that-is-as-long'];
  const names = ['DROVER_NODE_TOKEN', 'AUTH_TOKEN', 'LLORCH_API_TOKEN'];
  for (const name of names) {
    assert.equal(readSettings({ [name]: token }).DROVER_NODE_TOKEN, token);
    assert.match(refusal({ [name]: 'too-short' }), new RegExp(`^${name}: `));
    for (const second of names.filter((one) => one !== name)) {
      assert.equal(readSettings({ [name]: token, [second]: token }).DROVER_NODE_TOKEN, token);
      const told = refusal({ [name]: token, [second]: other });
      assert.ok([name, second].every((one) => told.includes(one)) && !told.includes(other), told);
    }
  }
});

test('B-VAL-016: a configured port is 1024 to 65535, or 0 for a free one; with another nothing starts', () => {
  for (const name of ['DROVER_API_PORT', 'DROVER_TEMPORAL_PORT', 'DROVER_TEMPORAL_UI_PORT'] as const) {
    for (const right of [0, 1024, 65_535]) assert.equal(readSettings({ [name]: String(right) })[name], right);
    for (const wrong of ['1', '80', '1023', '65536', '-1', '8080.5', 'http'])
      assert.match(refusal({ [name]: wrong }), new RegExp(`^${name}: `), wrong);
  }
  for (const wrong of [1, 80, 1023, 65_536])
    assert.match(refusal({ DROVER_NODE_ADDR: `127.0.0.1:${wrong}` }), /^DROVER_NODE_ADDR: .*1024 to 65535/);
});

test('B-CFG-025: origins of pages are whole origins; none is the default', () => {
  assert.deepEqual(readSettings({}).DROVER_CORS_ORIGINS, []);
  const origins = ['https://app.example', 'http://localhost:3000'];
  assert.deepEqual(readSettings({ DROVER_CORS_ORIGINS: origins.join() }).DROVER_CORS_ORIGINS, origins);
  for (const wrong of ['*', 'app.example', 'https://app.example/', 'https://app.example/path'])
    assert.match(refusal({ DROVER_CORS_ORIGINS: wrong }), /^DROVER_CORS_ORIGINS: /);
});

test('an empty value counts as unset', () => {
  assert.equal(readSettings({ DROVER_API_PORT: '' }).DROVER_API_PORT, 8080);
});

test('B-DP-069, B-OBS-052: every wrong setting is named at once, and no value is repeated', () => {
  const message = refusal({
    DROVER_ADMISSION_CAPACITY: '0',
    DROVER_API_PORT: 'eighty',
    DROVER_NODE_TOKEN: 'short-secret',
    DROVER_NODES: 'node-1',
  });
  for (const name of ['DROVER_ADMISSION_CAPACITY', 'DROVER_API_PORT', 'DROVER_NODE_TOKEN', 'DROVER_NODES']) {
    assert.match(message, new RegExp(`^${name}: `, 'm'));
  }
  assert.equal(message.includes('short-secret'), false);
});

test('B-CFG-001: a queue holds 16 tasks a pool, or as many as DROVER_ADMISSION_CAPACITY or its older name says, at least one', () => {
  const capacityOf = (env: Record<string, string>) =>
    readSettings(withoutAliases(env)).DROVER_ADMISSION_CAPACITY;
  assert.equal(capacityOf({}), 16);
  assert.equal(capacityOf({ ORCHD_ADMISSION_CAPACITY: '3' }), 3);
  assert.equal(capacityOf({ ORCHD_ADMISSION_CAPACITY: '3', DROVER_ADMISSION_CAPACITY: '5' }), 5);
  assert.equal(capacityOf({ ORCHD_ADMISSION_CAPACITY: '' }), 16);
  assert.throws(() => capacityOf({ ORCHD_ADMISSION_CAPACITY: '0' }), /DROVER_ADMISSION_CAPACITY/);
});

test('lists are split and trimmed', () => {
  const settings = readSettings({
    DROVER_API_KEYS: ' a-key , another ,',
    DROVER_NODES: 'a=http://127.0.0.1:1/,b=https://gpu.example:2',
  });
  assert.deepEqual(settings.DROVER_API_KEYS, ['a-key', 'another']);
  assert.deepEqual(settings.DROVER_NODES, [
    { id: 'a', url: 'http://127.0.0.1:1' },
    { id: 'b', url: 'https://gpu.example:2' },
  ]);
});

test('B-BG-001, B-BG-002, B-CFG-006, B-CFG-007: handoffs are looked for every second in the state folder, or as it is set', () => {
  const byDefault = readSettings({});
  assert.equal(byDefault.DROVER_RUNTIME_DIR, undefined); // Which is `engines` in the state folder.
  assert.equal(byDefault.DROVER_HANDOFF_WATCH_INTERVAL_MS, 1_000);
  const env = { DROVER_RUNTIME_DIR: 'handoffs', DROVER_HANDOFF_WATCH_INTERVAL_MS: '100' };
  const { DROVER_RUNTIME_DIR: folder, DROVER_HANDOFF_WATCH_INTERVAL_MS: interval } = readSettings(env);
  assert.ok(folder !== undefined && isAbsolute(folder) && folder.endsWith('/handoffs'));
  assert.equal(interval, 100);
  for (const wrong of ['99', '10001'])
    assert.match(refusal({ DROVER_HANDOFF_WATCH_INTERVAL_MS: wrong }), /DROVER_HANDOFF_WATCH_INTERVAL_MS/);
});

test('B-BG-025: networks of engines are blocks of addresses', () => {
  const networks = '10.0.0.0/8, fd00::/8';
  assert.deepEqual(readSettings({ DROVER_NODE_HANDOFF_NETWORKS: networks }).DROVER_NODE_HANDOFF_NETWORKS, [
    '10.0.0.0/8',
    'fd00::/8',
  ]);
  for (const wrong of ['10.0.0.0', '10.0.0.0/33', 'host/8', '10.0.0.0/x'])
    assert.match(refusal({ DROVER_NODE_HANDOFF_NETWORKS: wrong }), /is not <address>\/<bits>/);
});

test('B-CONFIG-001, B-CONFIG-002, B-CONFIG-003: a node listens on loopback unless it is told where, and refuses what is no address by name', () => {
  assert.equal(readSettings({}).DROVER_NODE_ADDR, '127.0.0.1:9200');
  for (const right of ['0.0.0.0:9200', 'gpu-1.example:0', '[::1]:9200'])
    assert.equal(readSettings({ DROVER_NODE_ADDR: right }).DROVER_NODE_ADDR, right);
  for (const wrong of [
    '9200',
    'gpu-1',
    'gpu-1:',
    'gpu-1:http',
    '127.0.0.1:65536',
    'two words:9200',
    '::1:9200',
  ])
    assert.equal(
      refusal({ DROVER_NODE_ADDR: wrong }),
      `DROVER_NODE_ADDR: "${wrong}" is not host:port, with a port from 1024 to 65535 or 0`,
    );
});

test('B-WRK-005: engines whose port is taken go to ports from 8001 on, or to those that are named', () => {
  assert.deepEqual(readSettings({}).DROVER_NODE_ENGINE_PORTS, { first: 8_001, last: 65_535 });
  const named = readSettings({ DROVER_NODE_ENGINE_PORTS: '9000-9100' });
  assert.deepEqual(named.DROVER_NODE_ENGINE_PORTS, { first: 9_000, last: 9_100 });
  for (const wrong of ['9000', '9100-9000', '80-90', '9000-70000', 'a-b'])
    assert.match(refusal({ DROVER_NODE_ENGINE_PORTS: wrong }), /^DROVER_NODE_ENGINE_PORTS: must be <first>/);
});

test('B-POOL-001, B-PRELOAD-074: a node knows its pools, and how many of them may load at once', () => {
  const byDefault = readSettings({});
  assert.deepEqual([byDefault.DROVER_NODE_POOLS, byDefault.DROVER_NODE_PARALLEL_PRELOADS], [[], 4]);
  const set = readSettings({ DROVER_NODE_POOLS: 'a, b.1', DROVER_NODE_PARALLEL_PRELOADS: '1' });
  assert.deepEqual([set.DROVER_NODE_POOLS, set.DROVER_NODE_PARALLEL_PRELOADS], [['a', 'b.1'], 1]);
  assert.match(refusal({ DROVER_NODE_POOLS: 'a,../b' }), /^DROVER_NODE_POOLS: "\.\.\/b" is no pool id$/);
  assert.match(refusal({ DROVER_NODE_PARALLEL_PRELOADS: '0' }), /^DROVER_NODE_PARALLEL_PRELOADS: /);
});

test('B-SUPER-029, B-CONFIG-014: the restart policy is JSON over the defaults, and one that is wrong names its field', () => {
  const policyOf = (text: string) => readSettings({ DROVER_SUPERVISION: text }).DROVER_SUPERVISION;
  assert.deepEqual(readSettings({}).DROVER_SUPERVISION, DEFAULT_RESTART_POLICY);
  assert.deepEqual(policyOf('{"min_ms": 200}'), { ...DEFAULT_RESTART_POLICY, min_ms: 200 });
  for (const [text, problem] of [
    ['{"cap_ms": 999}', /^DROVER_SUPERVISION\.cap_ms: must not be below initial_ms$/],
    ['{"factor": 0.5}', /^DROVER_SUPERVISION\.factor: must be 1 or more$/],
    ['{"jitter": 1.5}', /^DROVER_SUPERVISION\.jitter: must be from 0 to 1$/],
    ['{"initial_ms": 0}', /^DROVER_SUPERVISION\.initial_ms: /],
    ['{"initial": 5}', /^DROVER_SUPERVISION: .*initial/],
    ['five', /^DROVER_SUPERVISION: /],
  ] as const) {
    assert.match(refusal({ DROVER_SUPERVISION: text }), problem);
  }
});

test('B-CFG-018, C-129: artifacts have one folder, absolute, and none where others could write unless it is named', () => {
  assert.equal(readSettings({}).DROVER_ARTIFACT_DIR, undefined);
  const folder = readSettings({ DROVER_ARTIFACT_DIR: 'kept/artifacts' }).DROVER_ARTIFACT_DIR;
  assert.ok(folder !== undefined && isAbsolute(folder) && folder.endsWith('kept/artifacts'));
});

test('a database is named by a URL of PostgreSQL, whose password is not repeated', () => {
  const url = 'postgresql://drover:s3cret@db.example/drover';
  assert.equal(readSettings({ DATABASE_URL: url }).DATABASE_URL, url);
  const message = refusal({ DATABASE_URL: 'mysql://drover:s3cret@db.example/drover' });
  assert.match(message, /^DATABASE_URL: must be postgres:/);
  assert.equal(message.includes('s3cret'), false);
});

test('B-CFG-024: places of models are named one by one, or off', () => {
  const read = (DROVER_MODEL_SOURCES?: string) => readSettings({ DROVER_MODEL_SOURCES }).DROVER_MODEL_SOURCES;
  assert.deepEqual([read(), read('off')], [undefined, []]);
  assert.deepEqual(read('hf:org, s3,weights.example'), ['hf:org', 's3', 'weights.example']);
  for (const wrong of ['hf:', 'https://x', 'off,hf', 'a b'])
    assert.throws(() => read(wrong), /DROVER_MODEL_SOURCES: ".*" is no hf/, wrong);
});

test('B-CFG-021, C-012: engines are those that there are; no setting and no file of the product brings a double', () => {
  assert.deepEqual(engineKind.options, ['llamacpp', 'vllm', 'tgi', 'triton', 'openai']);
  assert.deepEqual(
    Object.keys(settingsSchema.shape).filter((name) => /MOCK|FAKE|STUB/.test(name)),
    [],
  );
  const product = [
    'api',
    'activities',
    'workers',
    'workflows',
    'domain',
    'contracts',
    'engines',
    'stack',
    'cli',
  ];
  const files = product.flatMap((folder) =>
    readdirSync(new URL(`../${folder}/`, import.meta.url), { recursive: true, encoding: 'utf8' })
      .filter(
        (name) =>
          name.endsWith('.ts') && !name.endsWith('.test.ts') && !/(^|\/)(testing|node_modules)\//.test(name),
      )
      .map((name) => `${folder}/${name}`),
  );
  assert.ok(files.length > 100);
  const importing = files.filter((name) => {
    const text = readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');
    return /from '(?:\.\.?\/)+(?:[\w-]+\/)*testing\//.test(text);
  });
  assert.deepEqual(importing, []);
});
