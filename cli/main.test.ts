import assert from 'node:assert/strict';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { freePort } from '../testing/free-port.js';
import { LIMITS } from './client/limits.js';
import { CliRun } from '../testing/run-cli.js';
import {
  endText,
  frameText,
  openEvents,
  ScriptedServer,
  sendJson,
  STARTED,
  tokenText,
  type Answerer,
} from '../testing/scripted-server.js';

const COMMAND = [process.execPath, '--import', 'tsx', join(import.meta.dirname, 'main.ts')] as const;

describe('the process', () => {
  const servers: ScriptedServer[] = [];
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.close()));
  });

  async function serve(answer: Answerer): Promise<ScriptedServer> {
    const server = await ScriptedServer.start(answer);
    servers.push(server);
    return server;
  }

  function drover(url: string, args: readonly string[], stdin?: string): CliRun {
    const env = { DROVER_URL: url, DROVER_API_KEY: 'k-secret', HOME: '/nonexistent' };
    return new CliRun({ command: COMMAND, args, env, ...(stdin === undefined ? {} : { stdin }) });
  }

  /** An API that takes a chat, and streams what it is told to. */
  const chat =
    (stream: (response: Parameters<Answerer>[0]) => void, acknowledge = true): Answerer =>
    (response, { path }) => {
      if (path === '/v1/chat/completions') {
        response.writeHead(200, { 'content-type': 'text/event-stream', 'x-task-id': 't1' });
        response.flushHeaders();
      } else if (path === '/v2/tasks/t1/events') stream(response);
      else if (path !== '/v2/tasks/t1/cancel') sendJson(response, 404, { code: 'X', message: 'x' });
      else if (acknowledge) response.writeHead(204).end();
    };

  it('B-EXIT-001, B-CLI-012: an answer is data and nothing else, and ends with 0', async () => {
    const server = await serve(
      chat((response) => {
        openEvents(response, STARTED, tokenText(0, 'Hello'), tokenText(1, ' world'), endText(2));
        response.end();
      }),
    );
    const run = drover(server.url, [
      'run',
      'demo',
      'Say hello.',
      '--system',
      'Be brief.',
      '--max-tokens',
      '9',
    ]);
    assert.equal(await run.exitCode(), 0);
    assert.deepEqual([run.stdout, run.stderr], ['Hello world', '']);
    const [asked] = server.to('/v1/chat/completions');
    const { messages, max_tokens } = JSON.parse(asked?.body ?? '') as Record<string, unknown>;
    assert.deepEqual(messages, [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Say hello.' },
    ]);
    assert.equal(max_tokens, 9);
    assert.equal(asked?.headers['x-api-key'], 'k-secret');
  });

  it('B-EXIT-001, B-EXIT-002, B-EXIT-004: an error ends with 1, and names code, reason and next step', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const run = drover(url, ['pools', 'list']);
    assert.equal(await run.exitCode(), 1);
    assert.equal(run.stdout, '');
    assert.match(run.stderr, /^error HTTP_CONNECTION_FAILED: cannot reach .*ECONNREFUSED/);
    assert.match(run.stderr, /next: start Drover with "drover up"/);
    assert.doesNotMatch(run.stderr, /k-secret/);
  });

  it("B-EXIT-002, B-CLI-012: with --json an error is one line, the API's envelope as it came", async () => {
    const envelope = { code: 'POOL_NOT_FOUND', message: 'there is no such pool', correlation_id: 'c-7' };
    const server = await serve((response) => sendJson(response, 404, envelope));
    const run = drover(server.url, ['pools', 'get', 'nobody', '--json']);
    assert.equal(await run.exitCode(), 1);
    const { suggested_action, ...record } = run.errorRecord;
    assert.deepEqual(record, { ...envelope, status: 404 });
    assert.match(String(suggested_action), /pools list/);
  });

  it('B-EXIT-003: a call that is not answered ends with 124', async () => {
    const server = await serve(() => undefined);
    const run = drover(server.url, ['ps', '--timeout', '200ms', '--json']);
    assert.equal(await run.exitCode(), 124);
    assert.equal(run.errorRecord['code'], 'HTTP_TIMEOUT');
  });

  it('B-EXIT-005: the exit code is that of the error, whatever status it came with', async () => {
    for (const [status, code, exitCode] of [
      [502, 'SSH_TIMEOUT', 124],
      [504, 'DECODE_TIMEOUT', 124],
      [502, 'WORKER_RESET', 1],
      [504, 'POOL_UNAVAILABLE', 1],
      [408, 'INVALID_PARAMS', 1],
    ] as const) {
      const server = await serve((response) =>
        sendJson(response, status, { code, message: 'as the test says' }),
      );
      const run = drover(server.url, ['pools', 'get', 'p', '--json', '--timeout', '5s']);
      assert.deepEqual([await run.exitCode(), run.errorRecord['code']], [exitCode, code]);
    }
  });

  it('B-EXIT-003, B-INF-040: a silent stream ends with 124 after 60 s or what is said, and its task is cancelled', async () => {
    assert.equal(LIMITS.idleMs, 60_000);
    const server = await serve(chat((response) => openEvents(response, STARTED, tokenText(0, 'a'))));
    const run = drover(server.url, ['run', 'demo', 'hi', '--idle-timeout', '200ms']);
    assert.equal(await run.exitCode(), 124);
    assert.match(run.stderr, /TOKEN_STREAM_TIMEOUT/);
    assert.equal(server.to('/v2/tasks/t1/cancel').length, 1);
  });

  it('B-INF-039: a stream that closes without its end is an error that says how far it came, and keeps what came', async () => {
    const server = await serve(
      chat((response) => {
        openEvents(response, STARTED, tokenText(0, 'Hel'), tokenText(1, 'lo'));
        response.end();
      }),
    );
    const args = ['run', 'demo', 'hi', '--max-tokens', '20', '--idle-timeout', '300ms'];
    const told = drover(server.url, args);
    assert.equal(await told.exitCode(), 1);
    assert.equal(told.stdout, 'Hello');
    assert.match(told.stderr, /error TOKEN_STREAM_ERROR: .*after 2 \/ 20 tokens/);
    assert.doesNotMatch(told.stderr, /Hello/);
    assert.match(told.stderr, /task_id: t1[^]*drover tasks attach/);
    const asJson = drover(server.url, [...args, '--json']);
    assert.equal(await asJson.exitCode(), 1);
    const { code, details } = asJson.errorRecord as { code: string; details: Record<string, unknown> };
    const { tokens, max_tokens, partial_text } = details;
    assert.deepEqual([code, tokens, max_tokens, partial_text], ['TOKEN_STREAM_ERROR', 2, 20, 'Hello']);
  });

  it('B-INF-052: Ctrl-C asks for the cancel, and ends with 130', async () => {
    const server = await serve(chat((response) => openEvents(response, STARTED, tokenText(0, 'Hello'))));
    const run = drover(server.url, ['run', 'demo', 'hi']);
    await run.said('Hello');
    run.signal('SIGINT');
    assert.equal(await run.exitCode(), 130);
    assert.equal(server.to('/v2/tasks/t1/cancel').length, 1);
    assert.match(run.stderr, /^cancelled$/m);
  });

  it('B-INF-052: a cancel that nobody acknowledges is waited for 5 s, and told', async () => {
    const server = await serve(
      chat((response) => openEvents(response, STARTED, tokenText(0, 'Hello')), false),
    );
    const run = drover(server.url, ['run', 'demo', 'hi']);
    await run.said('Hello');
    const interruptedAt = performance.now();
    run.signal('SIGINT');
    assert.equal(await run.exitCode(), 130);
    assert.ok(performance.now() - interruptedAt >= 4_900);
    assert.match(run.stderr, /not acknowledged .* "drover tasks cancel t1"/);
  });

  it('B-INF-032: where there is no pool at all, that is what is wrong', async () => {
    const refusal = { error: { code: 'MODEL_NOT_FOUND', message: 'no pool serves this model' } };
    const server = await serve((response, { path }) => {
      if (path === '/v2/pools') sendJson(response, 200, { pools: [] });
      else sendJson(response, 404, refusal);
    });
    const run = drover(server.url, ['run', 'demo', 'hi', '--json']);
    assert.equal(await run.exitCode(), 1);
    const { code, details } = run.errorRecord as { code: string; details: Record<string, unknown> };
    assert.deepEqual(
      [code, details['operation'], details['cause_code']],
      ['NO_WORKERS', 'run', 'MODEL_NOT_FOUND'],
    );
  });

  it('B-INF-033, B-INF-034, B-INF-035: an answer that cannot be had is a stream that cannot', async () => {
    const rows: [Answerer, string, number][] = [
      [(response) => void response.writeHead(400).end('<html>'), 'TOKEN_STREAM_FAILED', 1],
      [(response) => void response.destroy(), 'TOKEN_STREAM_ERROR', 1],
      [() => undefined, 'TOKEN_STREAM_TIMEOUT', 124],
    ];
    const fails = async ([answer, code, exitCode]: (typeof rows)[number]) => {
      const server = await serve(answer);
      const run = drover(server.url, ['run', 'demo', 'hi', '--json', ...briefly(code)]);
      assert.equal(await run.exitCode(), exitCode, run.stderr);
      assert.equal(run.errorRecord['code'], code);
    };
    await Promise.all(rows.map(fails));
  });

  it('what is wrong with the command itself ends with 1', async () => {
    const url = 'http://127.0.0.1:9';
    const wrong = [['--nope'], ['run'], ['ps', '--timeout', '5'], ['pools', 'purge', 'p'], ['run', 'demo']];
    const refused = async (args: string[]) => {
      const run = drover(url, [...args, '--json']);
      assert.equal(await run.exitCode(), 1, args.join(' '));
      assert.equal(run.errorRecord['code'], 'INVALID_ARGUMENT', run.stderr);
    };
    await Promise.all(wrong.map(refused));
  });

  it('a model is pulled to its end: its progress on standard error, its path on standard output', async () => {
    const frame = (told: object | string) =>
      `data: ${typeof told === 'string' ? told : JSON.stringify(told)}\n\n`;
    const far = { stage: 'downloading', bytes_total: 8, speed_mbps: 1, eta_ms: 1000, paused: false };
    const end = { stage: 'complete', local_path: '/m/tea.gguf', digest: 'sha256:00' };
    const pull = async (reference: string, ...said: (object | string)[]) => {
      let reads = 0;
      const server = await serve((response, { path }) => {
        if (path === '/v1/models/download') return sendJson(response, 200, { download_id: 'd/1' });
        reads += 1;
        // The first connection is cut: the next one begins with how the download stands.
        openEvents(response, ...(reads === 1 ? said.slice(0, 1) : said).map(frame));
        response.end();
      });
      const run = drover(server.url, ['pull', reference, '--json']);
      return { code: await run.exitCode(), run, server };
    };
    const { code, run, server } = await pull('hf:o/r', { ...far, bytes_downloaded: 4 }, end, '[DONE]');
    assert.equal(code, 0, run.stderr);
    const pulled = { download_id: 'd/1', local_path: '/m/tea.gguf', digest: 'sha256:00' };
    assert.deepEqual(JSON.parse(run.stdout), pulled);
    assert.match(run.stderr, /"bytes_downloaded":4/);
    assert.equal(server.to('/v1/models/download/progress?id=d%2F1').length, 2);
    const failed = { stage: 'error', code: 'MODEL_CORRUPTED', message: 'it is another file' };
    const refused = await pull('hf:o/r', { ...far, bytes_downloaded: 4 }, failed, '[DONE]');
    assert.deepEqual([refused.code, refused.run.errorRecord['code']], [1, 'MODEL_CORRUPTED']);
  });

  it('B-DL-011, B-DL-012, B-DL-013: a progress that cannot be had is told from one that breaks and one that hangs', async () => {
    const rows: [Answerer, string, number][] = [
      [(response) => sendJson(response, 404, { code: 'X', message: 'none' }), 'SSE_CONNECTION_FAILED', 1],
      [(response) => void response.destroy(), 'SSE_CONNECTION_ERROR', 1],
      [() => undefined, 'SSE_CONNECTION_TIMEOUT', 124],
    ];
    const fails = async ([progress, code, exitCode]: (typeof rows)[number]) => {
      const server = await serve((response, request, count) => {
        if (request.path === '/v1/models/download') sendJson(response, 200, { download_id: 'd' });
        else progress(response, request, count);
      });
      const run = drover(server.url, ['pull', 'hf:o/r', '--json', ...briefly(code)]);
      assert.equal(await run.exitCode(), exitCode, run.stderr);
      const { url, status } = run.errorRecord['details'] as { url?: string; status?: number };
      assert.deepEqual([run.errorRecord['code'], url?.endsWith('/progress?id=d')], [code, true]);
      if (exitCode === 1 && code.endsWith('FAILED')) assert.equal(status, 404);
    };
    await Promise.all(rows.map(fails));
  });

  it('B-LOAD-006, B-LOAD-007, B-LOAD-008, B-LOAD-009: streams of progress and events have codes of their own', async () => {
    const stop = ['stop', 'gpu-0'];
    const logs = ['logs', 'gpu-0', '--follow'];
    const refuse: Answerer = (response) =>
      sendJson(response, 404, { code: 'POOL_NOT_FOUND', message: 'none' });
    const hang: Answerer = () => undefined;
    const breakOff: Answerer = (response) => void response.destroy();
    const rows: [readonly string[], Answerer, string, number][] = [
      [stop, refuse, 'PROGRESS_STREAM_FAILED', 1],
      [stop, breakOff, 'PROGRESS_STREAM_ERROR', 1],
      [stop, hang, 'PROGRESS_STREAM_TIMEOUT', 124],
      [logs, refuse, 'SSE_CONNECTION_FAILED', 1],
      [logs, breakOff, 'SSE_CONNECTION_ERROR', 1],
      [logs, hang, 'SSE_CONNECTION_TIMEOUT', 124],
    ];
    const fails = async ([args, events, code, exitCode]: (typeof rows)[number]) => {
      const server = await serve((response, request, count) => {
        if (request.path.endsWith('/drain'))
          sendJson(response, 202, { operation_id: 'pool:gpu-0:drain', status: 'running', href: '/' });
        else if (request.path.startsWith('/v2/operations/')) sendJson(response, 200, RUNNING);
        else events(response, request, count);
      });
      const run = drover(server.url, [...args, '--json', ...briefly(code)]);
      assert.equal(await run.exitCode(), exitCode, run.stderr);
      assert.equal(run.errorRecord['code'], code);
    };
    await Promise.all(rows.map(fails));
  });

  it('B-SSEC-001: a stream of progress goes on while keep-alives come, to the end of its own run', async () => {
    const server = await serve((response, { path }) => {
      if (path.endsWith('/drain'))
        return sendJson(response, 202, { operation_id: 'pool:gpu-0:drain', status: 'running', href: '/' });
      if (path.startsWith('/v2/operations/')) return sendJson(response, 200, RUNNING);
      const ended = { ...RUNNING, status: 'completed', ended_at_ms: 9 };
      openEvents(
        response,
        frameText(1, 'end', { ...ended, run_id: 'an earlier one', outcome: { pool_id: 'old' } }),
      );
      const beat = setInterval(() => response.write(': keep-alive\n\n'), 100);
      setTimeout(() => {
        clearInterval(beat);
        const step = {
          operation_id: 'pool:gpu-0:drain',
          run_id: 'r1',
          kind: 'drain',
          step: 's',
          doing: 'waiting',
          at_ms: 5,
        };
        response.write(frameText(2, 'step', step));
        response.write(frameText(3, 'end', { ...ended, outcome: { pool_id: 'gpu-0', duration_ms: 4 } }));
      }, 2_500);
    });
    const run = drover(server.url, ['stop', 'gpu-0', '--idle-timeout', '1s', '--json']);
    assert.equal(await run.exitCode(), 0, run.stderr);
    assert.deepEqual(JSON.parse(run.stdout), { pool_id: 'gpu-0', duration_ms: 4 });
    assert.match(run.stderr, /waiting/);
  });

  it('what may be given several times takes nothing else', async () => {
    const server = await serve(
      chat((response) => {
        openEvents(response, STARTED, tokenText(0, 'a'), endText(1));
        response.end();
      }),
    );
    const run = drover(server.url, ['run', '--stop', 'END', '--stop', '.', 'demo', 'Say a.', '--seed', '7']);
    assert.equal(await run.exitCode(), 0, run.stderr);
    const { model, stop, seed } = JSON.parse(server.requests[0]?.body ?? '') as Record<string, unknown>;
    assert.deepEqual([model, stop, seed], ['demo', ['END', '.'], 7]);
  });

  it('HEALTH_CHECK_ERROR is told by the doctor, and is a time-out where the API is silent', async () => {
    const server = await serve(() => undefined);
    const run = drover(server.url, ['doctor', '--timeout', '200ms', '--json']);
    assert.equal(await run.exitCode(), 124);
    const { ok, checks } = JSON.parse(run.stdout) as { ok: boolean; checks: Record<string, unknown>[] };
    assert.equal(ok, false);
    assert.equal(checks.find(({ name }) => name === 'api')?.['code'], 'HEALTH_CHECK_ERROR');
  });

  it('completion scripts are there for three shells, and suggest commands', async () => {
    const script = async (shell: string) => {
      const run = drover('http://127.0.0.1:9', ['completion', shell]);
      assert.equal(await run.exitCode(), 0);
      assert.match(run.stdout, /drover complete --/);
    };
    await Promise.all(['bash', 'zsh', 'fish'].map(script));
    const run = drover('http://127.0.0.1:9', ['complete', '--', 'pools', 'pre']);
    assert.equal(await run.exitCode(), 0);
    assert.match(run.stdout, /^preload\t/m);
  });
});

/** Only what never answers is waited for briefly: a busy machine takes its time. */
function briefly(code: string): string[] {
  return code.endsWith('_TIMEOUT') ? ['--connect-timeout', '300ms'] : [];
}

const RUNNING = {
  ...{ operation_id: 'pool:gpu-0:drain', run_id: 'r1', kind: 'drain', pool_id: 'gpu-0', status: 'running' },
  ...{
    started_at_ms: 1,
    ended_at_ms: null,
    step: null,
    steps: [],
    waiting_for: [],
    outcome: null,
    error: null,
  },
};
