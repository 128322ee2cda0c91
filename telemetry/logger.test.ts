import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { declareMetrics } from './metrics.js';

const METRICS = fileURLToPath(new URL('./metrics.ts', import.meta.url));
const LOGGER = fileURLToPath(new URL('./logger.ts', import.meta.url));
const CORRELATION = fileURLToPath(new URL('./correlation.ts', import.meta.url));

function program(code: string, env: Record<string, string> = {}) {
  const source = `import(${JSON.stringify(LOGGER)}).then(async ({ createLogger }) => { const log = createLogger('test'); ${code} });`;
  return spawn(process.execPath, ['--import', 'tsx', '-e', source], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

test('B-OBS-043: a process whose output nobody reads goes on and ends', async () => {
  const child = program(`
    for (let i = 0; i < 5000; i++) log.info({ pad: 'x'.repeat(200) }, 'line');
    await new Promise((resolve) => setTimeout(resolve, 100));
    process.stderr.write('still here');
    process.exit(7);`);
  child.stdout.pause();
  const said = text(child.stderr);
  const [code] = (await once(child, 'exit', { signal: AbortSignal.timeout(30_000) })) as [number];
  assert.equal(code, 7);
  assert.equal(await said, 'still here');
});

test('B-OBS-020: what is logged is one record each, and what nobody reads is kept within bounds', async () => {
  const child = program(`
    log.info({ event: 'first' }, 'first');
    for (let i = 0; i < 40_000; i++) log.info({ pad: 'x'.repeat(1_000) }, 'line');
    await new Promise((resolve) => setTimeout(resolve, 100));
    process.stderr.end('said it all');`);
  child.stdout.pause();
  assert.equal(await text(child.stderr), 'said it all');
  const lines = (await text(child.stdout)).trimEnd().split('\n');
  const bytes = lines.reduce((sum, line) => sum + line.length, 0);
  assert.equal((JSON.parse(lines[0] ?? '') as { event: string }).event, 'first');
  assert.equal(lines.filter((line) => line.includes('"event":"first"')).length, 1);
  // Four megabytes wait, some more are on their way through the pipe; forty were said.
  assert.ok(bytes < 8 * 1_048_576, `${bytes} bytes`);
});

test('B-OBS-021: a line is one JSON object with time, level, component and words, and secrets are left out of it', async () => {
  const child = program(`log.warn({ token: 'a-secret', prompt: 'a-question', tokens_out: 42 }, 'words');`);
  const line = JSON.parse(await text(child.stdout)) as Record<string, unknown>;
  assert.deepEqual(
    [line['level'], line['component'], line['msg'], line['tokens_out']],
    ['warn', 'test', 'words', 42],
  );
  assert.ok(!Number.isNaN(Date.parse(String(line['ts']))));
  assert.deepEqual([line['token'], line['prompt']], ['[REDACTED]', '[REDACTED]']);
});

test('B-RED-008: a secret in the words of an error does not reach the log either', async () => {
  const child = program(
    `log.warn({ err: new Error('GET /x?token=abc 401 for Bearer xyz.123'), tokens_out: 4 }, 'password: hunter2');`,
  );
  const said = await text(child.stdout);
  const line = JSON.parse(said) as Record<string, unknown>;
  assert.deepEqual([line['msg'], line['tokens_out']], ['password: [REDACTED]', 4]);
  assert.match(said, /token=\[REDACTED\] 401 for \[REDACTED\]/);
  for (const secret of ['abc', 'xyz', 'hunter2']) assert.equal(said.includes(secret), false);
});

test('a line has the id of its request and its own fields, not those of the lines before it', async () => {
  const child = program(`
    const { withCorrelation } = await import(${JSON.stringify(CORRELATION)});
    withCorrelation('c-1', () => { log.info({ event: 'first', pid: 1 }, 'a'); log.info({ pool_id: 'p' }, 'b'); });
    log.info('c');`);
  const lines = (await text(child.stdout)).trimEnd().split('\n');
  const [, second, third] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  const { ts: _, ...fields } = second ?? {};
  const base = { level: 'info', component: 'test' };
  assert.deepEqual(fields, { ...base, correlation_id: 'c-1', pool_id: 'p', msg: 'b' });
  assert.equal(third?.['correlation_id'], undefined);
});

test('B-CFG-022: logs are JSON and every metric is there wherever it runs: nothing has to be switched on', async () => {
  const told = await Promise.all(
    ['production', 'development'].map(async (NODE_ENV) => {
      const code = `const { declareMetrics } = await import(${JSON.stringify(METRICS)});
        const registry = new (await import('prom-client')).Registry();
        declareMetrics(registry);
        log.info({ metrics: registry.getMetricsAsArray().map(({ name }) => name) }, 'declared');`;
      const line = JSON.parse(await text(program(code, { NODE_ENV }).stdout)) as Record<string, unknown>;
      return line['metrics'] as string[];
    }),
  );
  const registry = new Registry();
  declareMetrics(registry);
  const all = registry.getMetricsAsArray().map(({ name }) => name);
  assert.ok(all.length > 10);
  assert.deepEqual(told, [all, all]);
});

test('B-RED-006: a fingerprint that stands for a key stays, a key under the same name does not', async () => {
  const child = program(`
    log.warn({ headers: { authorization: '****0123ab', 'x-api-key': '****0123ab' } }, 'a dump');
    log.warn({ headers: { authorization: 'Bearer abc', 'x-api-key': 'xyz' } }, 'a leak');`);
  const headers = (await text(child.stdout))
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { headers: unknown }).headers);
  assert.deepEqual(headers, [
    { authorization: '****0123ab', 'x-api-key': '****0123ab' },
    { authorization: '[REDACTED]', 'x-api-key': '[REDACTED]' },
  ]);
});

test('B-LOG-008: whatever is logged, and however many lines it has, is one object on one line', async () => {
  const child = program(`
    log.info('first\\nsecond');
    log.error({ err: new Error('failed\\nfor two reasons'), flags: ['a\\r\\nb'] }, 'engine gone');`);
  const lines = (await text(child.stdout)).trimEnd().split('\n');
  const [info, error] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.equal(lines.length, 2);
  assert.equal(info?.['msg'], 'first\nsecond');
  const { message, stack } = error?.['err'] as { message: string; stack: string };
  assert.deepEqual([message, error?.['flags']], ['failed\nfor two reasons', ['a\r\nb']]);
  assert.ok(stack.includes('\n'));
});

test('B-NARR-005, B-NARR-006: a narrated event says who emitted it and when, unless it says so itself; no other line does', async () => {
  const child = program(`
    const narrated = { actor: 'a', action: 'b', target: 'c', human: 'Does it' };
    log.info(narrated, 'first');
    Date.now = () => 5;
    log.info(narrated, 'second');
    log.info({ ...narrated, emitted_by: 'other@1', emitted_at_ms: 7 }, 'third');
    log.info({ event: 'plain' }, 'fourth');`);
  const before = Date.now();
  const lines = (await text(child.stdout))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const told = lines.map((line) => [line['emitted_by'], line['emitted_at_ms']]);
  assert.match(String(told[0]?.[0]), /^drover-test@\d+\.\d+\.\d+$/);
  assert.ok(Number(told[0]?.[1]) >= before - 1_000);
  assert.deepEqual(told.slice(1), [told[0], ['other@1', 7], [undefined, undefined]]);
});

test('B-NARR-007: levels are error, warn, info and debug, and silent emits nothing', async () => {
  const child = program(`
    for (const level of ['fatal', 'error', 'warn', 'info', 'debug']) log[level]({ event: level }, level);
    for (const level of ['fatal', 'error', 'info']) createLogger('muted', 'silent')[level]({ human: 'Speaks' }, level);
    createLogger('wordy', 'debug').debug({ event: 'seen' }, 'seen');`);
  const lines = (await text(child.stdout))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual(
    lines.map(({ component, level }) => [component, level]),
    [...['fatal', 'error', 'warn', 'info'].map((level) => ['test', level]), ['wordy', 'debug']],
  );
});

test('B-COR-006: work that nobody asked for has an id of its own, another one each time', async () => {
  const child = program(`
    const { withOwnCorrelation } = await import(${JSON.stringify(CORRELATION)});
    for (let look = 0; look < 2; look++)
      withOwnCorrelation(() => { log.info({}, 'one'); log.info({}, 'two'); });`);
  const ids = (await text(child.stdout))
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { correlation_id: string }).correlation_id);
  assert.equal(ids.length, 4);
  assert.deepEqual([ids[0] === ids[1], ids[2] === ids[3], new Set(ids).size], [true, true, 2]);
});
