/** Streams that fail, whoever reads them: no failure is swallowed, whatever it is. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { CliRun } from '../testing/run-cli.js';
import {
  frameText,
  openEvents,
  ScriptedServer,
  sendJson,
  STARTED,
  tokenText,
  type Answerer,
} from '../testing/scripted-server.js';

const COMMAND = [process.execPath, '--import', 'tsx', join(import.meta.dirname, 'main.ts')] as const;

/** A command that reads a stream, and what stands before it. */
interface Reader {
  args: readonly string[];
  kind: string;
  /** The path of its stream. */
  stream: string;
  /** Events with which the stream begins well. */
  beginning: readonly string[];
}

const LOADING = { stage: 'loading_to_vram', layers_loaded: 1, layers_total: 4, vram_mb: 0 };
const STEP = {
  operation_id: 'pool:p:drain',
  run_id: 'r1',
  kind: 'drain',
  step: 's',
  doing: 'waiting',
  at_ms: 5,
};
const FAR = {
  stage: 'downloading',
  bytes_downloaded: 1,
  bytes_total: 8,
  speed_mbps: 1,
  eta_ms: 1,
  paused: false,
};
const RUNNING = {
  ...{
    operation_id: 'pool:p:drain',
    run_id: 'r1',
    kind: 'drain',
    pool_id: 'p',
    status: 'running',
    started_at_ms: 1,
  },
  ...{ ended_at_ms: null, step: null, steps: [], waiting_for: [], outcome: null, error: null },
};

const READERS: readonly Reader[] = [
  {
    ...{ args: ['tasks', 'attach', 't1'], kind: 'TOKEN_STREAM', stream: '/v2/tasks/t1/events' },
    beginning: [STARTED, tokenText(0, 'a')],
  },
  {
    ...{ args: ['stop', 'p'], kind: 'PROGRESS_STREAM', stream: '/v2/pools/p/events' },
    beginning: [frameText(1, 'step', STEP)],
  },
  {
    ...{ args: ['workers', 'progress'], kind: 'PROGRESS_STREAM', stream: '/v2/workers/progress' },
    beginning: [`data: ${JSON.stringify(LOADING)}\n\n`],
  },
  {
    ...{ args: ['logs', 'p', '--follow'], kind: 'SSE_CONNECTION', stream: '/v2/pools/p/events' },
    beginning: [frameText(1, 'step', STEP)],
  },
  {
    ...{ args: ['pull', 'hf:o/r'], kind: 'SSE_CONNECTION', stream: '/v1/models/download/progress' },
    beginning: [`data: ${JSON.stringify(FAR)}\n\n`],
  },
];

describe('streams that fail', () => {
  const servers: ScriptedServer[] = [];
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.close()));
  });

  /** Runs a command against an API whose stream behaves so; everything else about it is well. */
  async function read(reader: Reader, stream: Answerer): Promise<{ exitCode: number | null; run: CliRun }> {
    const server = await ScriptedServer.start((response, request, count) => {
      const { path } = request;
      if (path.startsWith(reader.stream)) stream(response, request, count);
      else if (path.endsWith('/drain'))
        sendJson(response, 202, { operation_id: 'pool:p:drain', status: 'running', href: '/' });
      else if (path.startsWith('/v2/operations/')) sendJson(response, 200, RUNNING);
      else if (path === '/v1/models/download') sendJson(response, 200, { download_id: 'd' });
      else if (path === '/v2/workers/list') sendJson(response, 200, { workers: [] });
      else sendJson(response, 404, { code: 'X', message: 'x' });
    });
    servers.push(server);
    const env = { DROVER_URL: server.url, DROVER_API_KEY: 'k', HOME: '/nonexistent' };
    const limits = ['--connect-timeout', '3s', '--idle-timeout', '1s', '--first-event-timeout', '1s'];
    const run = new CliRun({ command: COMMAND, args: [...reader.args, '--json', ...limits], env });
    return { exitCode: await run.exitCode(60_000), run };
  }

  const rows: readonly (readonly [string, (reader: Reader) => Answerer, string, number])[] = [
    ['is refused', () => (response) => sendJson(response, 400, { code: 'X', message: 'no' }), '_FAILED', 1],
    ['is no stream', () => (response) => sendJson(response, 200, {}), '_FAILED', 1],
    ['breaks at once', () => (response) => void response.destroy(), '_ERROR', 1],
    [
      'ends before its last event',
      (reader) => (response) => {
        openEvents(response, ...reader.beginning);
        response.end();
      },
      '_ERROR',
      1,
    ],
    [
      'is silent for too long',
      (reader) => (response) => openEvents(response, ...reader.beginning),
      '_TIMEOUT',
      124,
    ],
  ];
  for (const reader of READERS) {
    it(`B-SSEC-007: whatever happens to the stream of "drover ${reader.args.join(' ')}" sets exit code and error record`, async () => {
      for (const [what, behave, suffix, exitCode] of rows) {
        const { run, exitCode: ended } = await read(reader, behave(reader));
        assert.deepEqual([what, ended], [what, exitCode], run.stderr);
        const { code, message } = run.errorRecord;
        assert.deepEqual([what, code, typeof message], [what, `${reader.kind}${suffix}`, 'string']);
      }
      const nonsense = `id: 1\nevent: ${reader.kind === 'TOKEN_STREAM' ? 'started' : 'step'}\ndata: {"no": \n\n`;
      const { run, exitCode } = await read(reader, (response) => openEvents(response, nonsense));
      assert.deepEqual([exitCode, run.errorRecord['code']], [1, 'JSON_PARSE_ERROR'], run.stderr);
    });
  }

  it('B-LOAD-005: without any worker the progress is NO_WORKERS and other events NO_WORKERS_FOR_SSE, asked once', async () => {
    const [progress, events] = [READERS[2], READERS[3]];
    assert.ok(progress !== undefined && events !== undefined);
    let asked = 0;
    const envelope = {
      code: 'NO_WORKERS',
      message: 'no engine is there',
      retriable: true,
      details: { operation: 'progress' },
    };
    const none = await read(progress, (response) => {
      asked += 1;
      sendJson(response, 503, envelope);
    });
    assert.deepEqual(
      [none.exitCode, none.run.errorRecord['code'], asked],
      [1, 'NO_WORKERS', 1],
      none.run.stderr,
    );
    assert.equal(typeof none.run.errorRecord['suggested_action'], 'string');
    const unknown = await read(events, (response) =>
      sendJson(response, 404, { code: 'POOL_NOT_FOUND', message: 'none' }),
    );
    assert.deepEqual(
      [unknown.exitCode, unknown.run.errorRecord['code']],
      [1, 'NO_WORKERS_FOR_SSE'],
      unknown.run.stderr,
    );
  });

  it('whoever follows a preload, and whoever lists engines, sees how far a model has come', async () => {
    const reader = READERS[1];
    assert.ok(reader !== undefined);
    const { stage: _stage, ...loading } = LOADING;
    const { run } = await read(reader, (response) => {
      openEvents(response, frameText(null, 'status', { pool_id: 'p', loading }));
      const ended = { ...RUNNING, status: 'completed', ended_at_ms: 9, outcome: { pool_id: 'p' } };
      response.end(frameText(1, 'end', ended));
    });
    assert.equal(await run.exitCode(), 0, run.stderr);
    assert.match(run.stderr, /"loading":\{"layers_loaded":1,"layers_total":4,"vram_mb":0\}/);
    const worker = {
      ...{ worker_id: 'n:p:r0', node_id: 'n', pool_id: 'p', replica_id: 'r0', url: null, engine: 'llamacpp' },
      ...{ model_ref: 'file:/m/tea.gguf', model_name: 'tea', backend: 'cpu', device: null, state: 'loading' },
      ...{ slots_total: 4, slots_available: 0, pid: null, last_activity_ms: null, last_error: null, loading },
    };
    const server = await ScriptedServer.start((response) =>
      sendJson(response, 200, { workers: [worker, { ...worker, worker_id: 'n:q:r0', loading: undefined }] }),
    );
    servers.push(server);
    const env = { DROVER_URL: server.url, DROVER_API_KEY: 'k', HOME: '/nonexistent' };
    const list = new CliRun({ command: COMMAND, args: ['workers', 'list'], env });
    assert.equal(await list.exitCode(), 0, list.stderr);
    const [, first, second] = list.stdout.split('\n');
    assert.match(first ?? '', /^n:p:r0 +tea +loading +0 of 4 free +1 of 4 layers$/);
    assert.match(second ?? '', /^n:q:r0 +tea +loading +0 of 4 free +-$/);
  });

  it('a model that could not be loaded ends the progress with the reason, one that could with 0', async () => {
    const reader = READERS[2];
    assert.ok(reader !== undefined);
    const end =
      (frame: object): Answerer =>
      (response) => {
        openEvents(response, ...reader.beginning, `data: ${JSON.stringify(frame)}\n\n`, 'data: [DONE]\n\n');
        response.end();
      };
    const failed = await read(
      reader,
      end({ stage: 'error', code: 'PRELOAD_FAILED', message: 'out of luck' }),
    );
    assert.deepEqual([failed.exitCode, failed.run.errorRecord['code']], [1, 'PRELOAD_FAILED']);
    const loaded = await read(reader, end({ stage: 'ready' }));
    assert.deepEqual([loaded.exitCode, loaded.run.stdout], [0, '{"stage":"ready"}\n'], loaded.run.stderr);
    assert.match(loaded.run.stderr, /"layers_loaded":1/);
  });
});
