import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { afterEach, describe, it } from 'node:test';
import { freePort } from '../../testing/free-port.js';
import {
  endText,
  frameText,
  openEvents,
  ScriptedServer,
  sendJson,
  STARTED,
  tokenText,
  type Answerer,
  type SeenRequest,
} from '../../testing/scripted-server.js';
import { CliError, Interrupted } from './cli-error.js';
import { followTask, type TaskWish } from './follow-task.js';
import { ApiHttp } from './http.js';
import { LIMITS, type Limits } from './limits.js';
import type { TaskEnd } from './task-reader.js';

const EVENTS = '/v2/tasks/t1/events';

describe("a task's stream", () => {
  const closing: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    await Promise.all(closing.splice(0).map((close) => close()));
  });
  const texts: string[] = [];

  async function follow(
    stream: (response: ServerResponse, request: SeenRequest, count: number) => void,
    limits: Partial<Limits> = {},
    wish: Partial<TaskWish> & { others?: Answerer; stop?: AbortSignal } = {},
  ): Promise<{ end: TaskEnd | undefined; error: CliError | undefined; scripted: ScriptedServer }> {
    texts.length = 0;
    const scripted: ScriptedServer = await ScriptedServer.start((response, request, count) => {
      if (request.path === EVENTS) stream(response, request, scripted.to(EVENTS).length);
      else if (wish.others === undefined)
        sendJson(response, 404, { code: 'TASK_NOT_FOUND', message: 'none' });
      else wish.others(response, request, count);
    });
    closing.push(() => scripted.close());
    return { scripted, ...(await followAt(scripted.url, limits, wish)) };
  }

  async function followAt(
    url: string,
    limits: Partial<Limits>,
    { stop = new AbortController().signal, ...wish }: Partial<TaskWish> & { stop?: AbortSignal } = {},
  ) {
    const http = new ApiHttp({ url, key: undefined }, { ...LIMITS, ...limits }, stop);
    closing.push(() => http.dispatcher.destroy());
    try {
      const end = await followTask(http, { taskId: 't1', onToken: (t) => void texts.push(t), ...wish });
      return { end, error: undefined };
    } catch (error) {
      assert.ok(error instanceof CliError, String(error));
      return { end: undefined, error };
    }
  }

  it('B-INF-038, B-SSEC-006: tells tokens as they come; comments, unknown events and fields are nothing', async () => {
    const { end } = await follow((response) => {
      openEvents(response, STARTED, ': keep-alive\n\n', tokenText(0, 'Hel'), 'event: news\ndata: {}\n\n');
      response.write('odd: field\nretry: 5\n\n');
      // A frame in two parts, cut amid a character of several bytes.
      const bytes = Buffer.from(tokenText(1, 'lö') + endText(2));
      const amid = bytes.indexOf(0xb6);
      response.write(bytes.subarray(0, amid));
      setTimeout(() => response.end(bytes.subarray(amid)), 20);
    });
    assert.equal(texts.join(''), 'Hellö');
    assert.equal(end?.tokens_out, 2);
  });

  it('B-SSEC-003, B-INF-033: a status that is no success is TOKEN_STREAM_FAILED, and names what was said', async () => {
    const envelope = { code: 'TASK_NOT_FOUND', message: 'there is no such task', correlation_id: 'c-9' };
    const { error, scripted } = await follow((response) => sendJson(response, 404, envelope));
    const { status, cause_code } = error?.more.details ?? {};
    assert.deepEqual([error?.code, status, cause_code], ['TOKEN_STREAM_FAILED', 404, 'TASK_NOT_FOUND']);
    assert.deepEqual([error?.exitCode, error?.more.correlationId], [1, 'c-9']);
    assert.equal(scripted.requests.length, 1);
  });

  it('B-SSEC-004: another content type is TOKEN_STREAM_FAILED', async () => {
    const { error } = await follow((response) => {
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end(STARTED);
    });
    assert.equal(error?.code, 'TOKEN_STREAM_FAILED');
    assert.equal(error.more.details?.['actual'], '200 text/html');
  });

  it('B-SSEC-003, B-INF-034: nobody listens: TOKEN_STREAM_ERROR', async () => {
    const { error } = await followAt(`http://127.0.0.1:${await freePort()}`, {});
    assert.deepEqual([error?.code, error?.exitCode], ['TOKEN_STREAM_ERROR', 1]);
  });

  it('B-SSEC-002, B-SSEC-003: no answer begins: TOKEN_STREAM_TIMEOUT, exit code 124', async () => {
    const { error } = await follow(() => undefined, { connectMs: 100 });
    assert.deepEqual([error?.code, error?.exitCode], ['TOKEN_STREAM_TIMEOUT', 124]);
    assert.equal(error?.more.details?.['timeout_ms'], 100);
  });

  it('B-SSEC-002, B-INF-035: no first event comes, whatever the comments: TOKEN_STREAM_TIMEOUT', async () => {
    const beats: NodeJS.Timeout[] = [];
    const { error } = await follow(
      (response) => {
        openEvents(response);
        beats.push(setInterval(() => response.write(': keep-alive\n\n'), 20));
      },
      { firstEventMs: 150 },
    );
    for (const beat of beats) clearInterval(beat);
    assert.deepEqual([error?.code, error?.exitCode], ['TOKEN_STREAM_TIMEOUT', 124]);
    assert.equal(error?.more.details?.['timeout_ms'], 150);
  });

  it('B-SSEC-002: a task that waits in the queue is silent with good reason', async () => {
    const notes: string[] = [];
    const { end } = await follow(
      (response) => {
        openEvents(response);
        setTimeout(() => response.end(STARTED + tokenText(0, 'a') + endText(1)), 400);
      },
      { firstEventMs: 100 },
      {
        onNote: (note) => notes.push(note),
        others: (response) => sendJson(response, 200, { state: 'queued', queue_position: 3 }),
      },
    );
    assert.equal(end?.tokens_out, 1);
    assert.match(notes[0] ?? '', /position 3/);
  });

  it('a pool that wakes for the task is told of until it begins, step by step', async () => {
    const told: string[][] = [];
    const figures = {
      ...{ queue_depth: 1, on_time_probability: 1, kv_warmth: false, tokens_out: 0 },
      ...{ tokens_budget_remaining: null, time_budget_remaining_ms: null, cost_budget_remaining: null },
    };
    const step = (status: string, human: string) => ({
      ...{ status, human, bytes_total: null, bytes_done: null, pct: null, eta_ms: null, phase: 'load' },
    });
    const prep = { a: step('completed', 'the model is there'), b: step('running', 'loads the model') };
    const { end } = await follow(
      (response) => {
        openEvents(response, `event: metrics\ndata: ${JSON.stringify({ ...figures, prep })}\n\n`);
        setTimeout(() => response.end(STARTED + tokenText(0, 'a') + endText(1)), 50);
      },
      {},
      { onPreparation: (steps) => void told.push(steps.map(({ human }) => human)) },
    );
    assert.equal(end?.tokens_out, 1);
    assert.deepEqual(told, [['loads the model']]);
  });

  it('B-SSEC-002: silence between two tokens is TOKEN_STREAM_TIMEOUT, and steady tokens know no limit in all', async () => {
    const { error } = await follow(
      (response) => {
        let i = 0;
        openEvents(response, STARTED);
        const beat = setInterval(() => {
          response.write(tokenText(i, 'x'));
          i += 1;
          if (i === 8) clearInterval(beat);
        }, 150);
      },
      { idleMs: 800 },
    );
    assert.equal(texts.length, 8);
    assert.equal(error?.code, 'TOKEN_STREAM_TIMEOUT');
  });

  it('B-SSEC-005: a stream that ends before its last event fails, when it cannot be resumed', async () => {
    const { error } = await follow(
      (response) => {
        openEvents(response, STARTED, tokenText(0, 'a'));
        response.end();
      },
      { idleMs: 300 },
    );
    assert.equal(error?.code, 'TOKEN_STREAM_ERROR');
    assert.deepEqual(texts, ['a']);
  });

  it('B-HTTP-006: a cut stream goes on after its last event, and every token comes once', async () => {
    const { end, scripted } = await follow((response, { headers }) => {
      const last = headers['last-event-id'];
      if (last === undefined) {
        openEvents(response, STARTED, tokenText(0, 'a'), tokenText(1, 'b'));
        setTimeout(() => response.destroy(), 20);
      } else {
        // It says more than was asked for.
        openEvents(response, tokenText(1, 'b'), tokenText(2, 'c'), endText(3));
        response.end();
      }
    });
    assert.deepEqual(texts, ['a', 'b', 'c']);
    assert.equal(end?.tokens_out, 3);
    assert.deepEqual(
      scripted.requests.map(({ method, headers }) => [method, headers['last-event-id']]),
      [
        ['GET', undefined],
        ['GET', '2'],
      ],
    );
  });

  it('B-INF-041: a network that is lost is noticed within 5 s, and the stream goes on once it is back', async () => {
    assert.ok(LIMITS.pulseMs + LIMITS.pulseAnswerMs <= 5_000);
    const notes: string[] = [];
    let isLost = true;
    const { end, scripted } = await follow(
      (response, _request, count) => {
        // Nothing more comes on the first connection, and nobody says that it is over.
        if (count === 1) openEvents(response, STARTED, tokenText(0, 'a'));
        else {
          openEvents(response, tokenText(1, 'b'));
          setTimeout(() => response.end(endText(2)), 300);
        }
      },
      { pulseMs: 60, pulseAnswerMs: 60 },
      {
        onNote: (note) => {
          notes.push(`${texts.join('')}: ${note}`);
          isLost = false;
        },
        others: (response) => (isLost ? undefined : sendJson(response, 200, {})),
      },
    );
    assert.deepEqual([texts, end?.tokens_out], [['a', 'b'], 2]);
    assert.equal(notes.length, 1);
    assert.match(notes[0] ?? '', /^a: .*the network is lost.*; connecting again$/);
    // While it is there it is asked now and then, and the stream is left alone.
    assert.ok(scripted.to('/healthz').length >= 2);
    assert.equal(scripted.to(EVENTS).length, 2);
  });

  it('an error outside the log that may pass is a reason to connect again', async () => {
    const away = { code: 'POOL_UNAVAILABLE', message: 'the node is away', retriable: true };
    const { end } = await follow((response, _request, count) => {
      if (count === 1) openEvents(response, STARTED, tokenText(0, 'a'), frameText(null, 'error', away));
      else openEvents(response, tokenText(1, 'b'), endText(2));
      response.end();
    });
    assert.deepEqual(texts, ['a', 'b']);
    assert.equal(end?.tokens_out, 2);
  });

  it('the error that ended the task is shown as it came', async () => {
    const reset = {
      code: 'WORKER_RESET',
      message: 'the engine died',
      retriable: true,
      correlation_id: 'c-3',
    };
    const { error, scripted } = await follow((response) => {
      openEvents(response, STARTED, frameText(1, 'error', reset));
      response.end();
    });
    assert.deepEqual(error?.toRecord(undefined), reset);
    assert.equal(scripted.requests.length, 1);
  });

  it('B-INF-036: an end without a token is NO_TOKENS_GENERATED', async () => {
    const { error } = await follow((response) => {
      openEvents(response, STARTED, endText(0));
      response.end();
    });
    assert.deepEqual([error?.code, error?.exitCode], ['NO_TOKENS_GENERATED', 1]);
  });

  const COUNTS: [string, string[], number | undefined, [number, number] | undefined][] = [
    ['a missing token', [tokenText(0, 'a'), tokenText(2, 'c'), endText(3)], undefined, [1, 2]],
    ['more text than tokens', [tokenText(0, 'a'), tokenText(1, 'b'), endText(1)], undefined, [1, 2]],
    ['fewer than asked for', [tokenText(0, 'a'), endText(1, 'MAX_TOKENS')], 5, [5, 1]],
    ['an early stop', [tokenText(0, 'a'), endText(1, 'EOS')], 5, undefined],
    ['a token that stands for several', [tokenText(0, 'ab'), endText(2, 'MAX_TOKENS')], 2, undefined],
    ['the largest answer of the installation', [tokenText(0, 'a'), endText(4, 'MAX_TOKENS')], 9, undefined],
  ];
  for (const [name, frames, maxTokens, counts] of COUNTS) {
    it(`B-INF-037, C-172: ${name} is ${counts === undefined ? 'no mismatch' : 'TOKEN_COUNT_MISMATCH'}`, async () => {
      const others: Answerer = (response) => sendJson(response, 200, { engines: [{ max_tokens_out: 4 }] });
      const { error, end } = await follow(
        (response) => {
          openEvents(response, STARTED, ...frames);
          response.end();
        },
        {},
        { maxTokens, others },
      );
      if (counts === undefined) assert.notEqual(end, undefined);
      else {
        const [expected, actual] = counts;
        assert.deepEqual([error?.code, error?.more.details], ['TOKEN_COUNT_MISMATCH', { expected, actual }]);
      }
    });
  }

  it('a frame that is not JSON is JSON_PARSE_ERROR', async () => {
    const { error } = await follow((response) => {
      openEvents(response, STARTED, 'id: 1\nevent: token\ndata: {"t":\n\n');
      response.end();
    });
    assert.equal(error?.code, 'JSON_PARSE_ERROR');
  });

  it('an interruption ends it at once', async () => {
    const stop = new AbortController();
    const scripted = await ScriptedServer.start((response) => {
      openEvents(response, STARTED);
      stop.abort(new Interrupted(130));
    });
    closing.push(() => scripted.close());
    const http = new ApiHttp({ url: scripted.url, key: undefined }, LIMITS, stop.signal);
    closing.push(() => http.dispatcher.destroy());
    await assert.rejects(followTask(http, { taskId: 't1', onToken: () => undefined }), Interrupted);
  });
});
