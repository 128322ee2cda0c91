import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeScript, outputTail, planInstall } from './install.js';

const CUT = { code: 'SSH_TIMEOUT', reason: 'timeout', message: 'cut off', retryable: true } as const;
const ENDED = { begun: true, exitCode: 0, timedOut: false, problem: undefined };

test('a node is told where API and Temporal are; an address of this machine alone leads no other machine there', () => {
  const known = { api_url: 'http://127.0.0.1:8080', temporal_address: 'localhost:7233' };
  assert.deepEqual(planInstall({}, known, '127.0.0.1'), { ok: true, plan: known });
  const fieldOf = (asked: object, of = known) => {
    const planned = planInstall(asked, of, 'gpu-1.lab');
    return planned.ok ? planned.plan : planned.field;
  };
  assert.equal(fieldOf({}), 'api_url');
  assert.equal(fieldOf({ api_url: 'https://drover.lab/' }), 'temporal_address');
  const asked = { api_url: 'https://drover.lab', temporal_address: 'temporal.lab:7233' };
  assert.deepEqual(fieldOf(asked), asked);
  assert.equal(fieldOf({ ...asked, api_url: 'http://[::1]:8080' }), 'api_url');
  assert.equal(planInstall({}, {}, '127.0.0.1').ok, false);
});

test('B-SSH-009: a step that failed says why; one whose connection broke may be tried again', () => {
  const judge = (end: Partial<typeof ENDED> | { problem: string; exitCode: number }) =>
    judgeScript('build', { ...ENDED, ...end }, () => CUT);
  assert.equal(judge({}), undefined);
  const failed = judge({ exitCode: 1, problem: 'packages' });
  assert.deepEqual(
    [failed?.code, failed?.reason, failed?.retryable],
    ['NODE_INSTALL_FAILED', 'packages', false],
  );
  assert.match(judge({ exitCode: 137 })?.message ?? '', /"build" ended with code 137/);
  assert.equal(
    judgeScript('build', { ...ENDED, exitCode: null, timedOut: true }, () => CUT)?.reason,
    'timeout',
  );
  assert.equal(judge({ exitCode: 255 }), CUT);
  assert.equal(
    judgeScript('build', { ...ENDED, begun: false, exitCode: 0 }, () => CUT),
    CUT,
  );
});

test('B-SSH-009: the tail of an output has its last lines, and none of what is not to be told', () => {
  const lines = Array.from({ length: 40 }, (_, line) => `line ${line}`);
  assert.deepEqual(outputTail(lines, {}).split('\n'), lines.slice(-30));
  const hidden = { host: 'gpu-1.lab', install_path: '/opt/drover', home: '/opt' };
  const rows = [
    ['fatal: cannot write /opt/drover/x on gpu-1.lab', 'fatal: cannot write <install_path>/x on <host>'],
    ['https://me:pass@git.example/x', 'https://<hidden>@git.example/x'],
    ['npm_token=abc Authorization: Bearer xyz', 'npm_token=<hidden> Authorization: <hidden>'],
    ['\u001b[31mred\u001b[0m\u0007', 'red'],
  ] as const;
  for (const [line, told] of rows) assert.equal(outputTail([line], hidden), told);
  assert.equal(outputTail(['x'.repeat(1_000)], {}).length, 300);
});
