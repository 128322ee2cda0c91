import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { judgeVisit, type SshProblem } from '../../domain/ssh.js';
import { SshServer, sshServerProgram } from '../../testing/ssh-server.js';
import { sshTransport, type SshTarget } from './ssh-transport.js';

/** Longer than a handshake takes on a busy machine. */
const LIMIT_MS = 20_000;

const skip = sshServerProgram === undefined ? 'without an SSH server' : false;

let server: SshServer;
before(async () => {
  if (!skip) server = await SshServer.start();
});
after(() => (skip ? undefined : server.stop()));

interface Trip extends Partial<SshTarget> {
  known?: 'its key' | 'another key' | 'nothing';
  limitMs?: number;
}

function visit({ known, limitMs: visitLimitMs = LIMIT_MS, ...changes }: Trip, to = server) {
  const transport = sshTransport({ knownHosts: to.knownHosts(known), visitLimitMs });
  const target = { ...to.place, install_path: '/nowhere', ...changes };
  return transport.visit(target, new AbortController().signal);
}

async function problemOf(trip: Trip, to = server): Promise<SshProblem> {
  const seen = await visit(trip, to);
  const verdict = judgeVisit(seen);
  assert.ok(!verdict.ok, JSON.stringify(seen));
  return verdict.problem;
}

test(
  'B-SSH-002, B-SSH-003, B-SSH-004: a node is reached, sends back a word, and says whether Drover is installed there',
  { skip },
  async () => {
    const seen = await visit({ install_path: server.installation() });
    assert.deepEqual(
      { ...seen, roundTripMs: 0 },
      {
        ...{ keyReadable: true, greeted: true, echoed: true, roundTripMs: 0, installed: true },
        end: { exitCode: 0, timedOut: false, missing: false, stderr: '' },
      },
    );
    assert.ok(seen.roundTripMs !== null && seen.roundTripMs > 0);
    assert.equal((await visit({})).installed, false);
  },
);

test(
  'B-SSH-008: what comes from the registry is carried out by no shell, on neither side',
  { skip },
  async () => {
    for (const install_path of [
      '$(touch /tmp/drover-was-here)',
      '`id`',
      "'; echo found; '",
      '"; echo found; "',
    ])
      assert.equal((await visit({ install_path })).installed, false, install_path);
  },
);

test(
  'B-NODE-004: a key that the node does not accept, that others may read, or that is not there, is told apart from silence',
  { skip },
  async () => {
    const refused = await problemOf({ ssh_key_path: server.keyFile('other') });
    assert.deepEqual([refused.reason, refused.retryable], ['key_refused', false]);
    assert.match(refused.message, /chmod 600/);
    const absent = await problemOf({ ssh_key_path: '/no/such/key', ssh_port: 1 }); // Nobody is visited in vain.
    assert.deepEqual([absent.reason, absent.retryable], ['key_unreadable', false]);
    const file = server.keyFile('user');
    chmodSync(file, 0o644);
    assert.equal((await problemOf({})).reason, 'key_refused');
    chmodSync(file, 0o600);
    assert.equal(judgeVisit(await visit({})).ok, true);
  },
);

test(
  'B-SSH-007: a host key that is not known is not taken on trust, and one that has changed is told apart',
  { skip },
  async () => {
    const reasons = [];
    for (const known of ['nothing', 'another key', 'nothing'] as const)
      reasons.push((await problemOf({ known })).reason);
    // The last one: the first visit has made nothing known.
    assert.deepEqual(reasons, ['host_key_unknown', 'host_key_changed', 'host_key_unknown']);
  },
);

test(
  'B-SSH-006: a port where nobody listens, and a server that accepts and says nothing',
  { skip },
  async () => {
    const closed = await SshServer.start();
    await closed.pause();
    assert.equal((await problemOf({}, closed)).reason, 'connection_refused');
    await closed.stop();
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port: ssh_port } = silent.address() as AddressInfo;
    const startedAt = performance.now();
    const problem = await problemOf({ ssh_port, limitMs: 1_000 });
    assert.deepEqual([problem.code, problem.retryable], ['SSH_TIMEOUT', true]);
    assert.ok(performance.now() - startedAt < 10_000);
    silent.close();
  },
);

test(
  'B-SSH-005: a node that does not find the command, or carries out another one, fails by its command',
  { skip },
  async () => {
    for (const [forced, reason] of [
      ['/no/such/program', 'command_not_found'],
      ['echo hello', 'unexpected_output'],
    ] as const) {
      const bound = await SshServer.start([`ForceCommand ${forced}`]);
      const problem = await problemOf({}, bound);
      assert.deepEqual([problem.code, problem.reason], ['SSH_COMMAND_FAILED', reason]);
      await bound.stop();
    }
  },
);
