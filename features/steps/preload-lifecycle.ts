/** Engines with bad manners are loaded, and what is seen of it meanwhile. */
import { type DataTable, Given, Then, When } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { chmod, copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { PreparedEngine } from '../../contracts/pool.js';
import { eventually } from '../../testing/changes.js';
import { Program } from '../../testing/program.js';
import { logLine } from '../support/logs.js';
import { PreloadView } from '../support/preload-view.js';
import { PRELOAD_PATH } from '../support/stack.js';
import type { DroverWorld } from '../support/world.js';

const PRELOAD = 'pool:default:preload';
/** Longest health wait of a preload that shall succeed. */
const PATIENT_MS = 60_000;

function view(world: DroverWorld): PreloadView {
  return new PreloadView(world.stack);
}

async function describeFake(world: DroverWorld, flags: string): Promise<PreparedEngine> {
  const prepared = await world.stack.prepareFakeEngine(flags.split(' '));
  world.stack.prepared = prepared;
  return prepared;
}

async function preload(world: DroverWorld, prepared: PreparedEngine): Promise<void> {
  const { status, text } = await world.tryPreload(prepared, PATIENT_MS);
  assert.equal(status, 200, text);
}

/** Orders a preload and does not wait for its end. */
async function begin(world: DroverWorld, flags: string): Promise<void> {
  const prepared = await describeFake(world, flags);
  const body = { prepared, wait_ms: 0, health_timeout_ms: PATIENT_MS };
  const { status, text } = await world.http.send('POST', PRELOAD_PATH, { body });
  assert.equal(status, 202, text);
}

Given('an installation whose pool is not loaded', async function (this: DroverWorld) {
  await this.useStack({ preload: false });
});

Given('the log of the engine holds {string}', async function (this: DroverWorld, line: string) {
  await writeFile(view(this).logPath, `${line}\n`);
});

Given('the folder of the handoffs is missing', async function (this: DroverWorld) {
  await rm(dirname(this.stack.pool.handoffPath), { recursive: true, force: true });
});

Given('a file is where the folder of the handoffs belongs', async function (this: DroverWorld) {
  const folder = dirname(this.stack.pool.handoffPath);
  await rm(folder, { recursive: true, force: true });
  await writeFile(folder, 'no folder');
});

Given(
  'the preload of an engine with {string} has been begun and polls',
  async function (this: DroverWorld, flags: string) {
    await begin(this, flags);
    await view(this).untilPolled();
    this.stack.firstEnginePid = await this.stack.pool.pid();
  },
);

When(
  'the preload of an engine is begun that is healthy after {int} ms',
  async function (this: DroverWorld, ms: number) {
    await begin(this, `--ready-after-ms ${ms}`);
  },
);

When('an engine with {string} is preloaded', async function (this: DroverWorld, flags: string) {
  await preload(this, await describeFake(this, flags));
});

When(
  'an engine is preloaded that looks for its PID file at the first poll, resets {int} polls and answers in HTTP\\/1.0',
  async function (this: DroverWorld, resets: number) {
    const flags = `--watch-file ${this.stack.pool.file('default.pid')} --reset-health ${resets} --http10`;
    await preload(this, await describeFake(this, flags));
  },
);

When('an engine is preloaded whose port somebody else has', async function (this: DroverWorld) {
  const prepared = await describeFake(this, '--log-line hello');
  const { binary_path: command, port } = prepared;
  const logFile = this.stack.pool.file('somebody-else.log');
  await mkdir(dirname(logFile), { recursive: true });
  this.startProgram(
    () => new Program({ name: 'somebody else', command, args: ['--port', String(port)], env: {}, logFile }),
  );
  await eventually(
    () => 'somebody else to listen',
    async () => (await fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined))?.ok,
  );
  await preload(this, prepared);
});

When(
  'the preload of an engine with {string} fails within {int} ms',
  async function (this: DroverWorld, flags: string, limitMs: number) {
    await this.tryPreload(await describeFake(this, flags), limitMs);
  },
);

When('the preload of an engine whose file may not be executed fails', async function (this: DroverWorld) {
  const prepared = await describeFake(this, '--log-line hello');
  const binary_path = join(this.stack.stateDir, 'not-executable');
  await copyFile(prepared.binary_path, binary_path);
  await chmod(binary_path, 0o644);
  await this.tryPreload({ ...prepared, binary_path }, PATIENT_MS);
});

When('the preload of an engine that is nowhere fails', async function (this: DroverWorld) {
  const prepared = await describeFake(this, '--log-line hello');
  await this.tryPreload({ ...prepared, binary_path: '/opt/no-such-engine' }, PATIENT_MS);
});

Then('the node answers for itself and for its pools meanwhile', async function (this: DroverWorld) {
  const health = (await this.stack.askNode('/health')) as { status?: string };
  const other = await this.stack.askNode('/pools/other/status');
  const { state } = await this.stack.pool.status(); // Last: the preload was under way all the time.
  assert.deepEqual([health.status, other, state], ['ok', { error: 'pool other not found' }, 'starting']);
});

When('an operator cancels the preload', async function (this: DroverWorld) {
  await view(this).cancel();
});

When(
  'the node worker is killed, and started again when the engine is healthy',
  async function (this: DroverWorld) {
    await this.breakStack().mustNode().kill('SIGKILL');
    await view(this).untilHealthy();
    await this.stack.startNode();
  },
);

Then(
  'until the engine is healthy the pool is {string}, not ready, and has no handoff',
  async function (this: DroverWorld, state: string) {
    const looks = await view(this).looksUntilHealthy();
    assert.ok(looks.length >= 10, `${looks.length} looks in 5 s`);
    for (const look of looks) assert.deepEqual(look, { state, ready: false, handoff: false, healthy: false });
  },
);

Then(
  'the pool comes to be ready with the version {string} and a handoff',
  async function (this: DroverWorld, version: string) {
    const { pool } = this.stack;
    const { told, status } = await eventually(
      () => 'a ready pool and its handoff',
      async () => {
        const told = await pool.handoff().catch(() => undefined);
        const status = await pool.status();
        return told !== undefined && status.ready ? { told, status } : undefined;
      },
    );
    assert.deepEqual(
      { live: status.live, version: status.engine_version, told: told.engine_version, pid: told.pid },
      { live: true, version, told: version, pid: await pool.pid() },
    );
  },
);

Then('its PID file was there', async function (this: DroverWorld) {
  assert.equal((await view(this).engine()).watched_file_was_there, true);
});

Then(
  'it was asked at {string} {int} times or more, at least {int} ms apart',
  async function (this: DroverWorld, path: string, times: number, apartMs: number) {
    assert.equal(this.stack.prepared?.health_path, path);
    const { polls } = await view(this).engine();
    assert.ok(polls.length >= times, `${polls.length} polls`);
    const gaps = polls.slice(1).map((at, index) => at - (polls[index] ?? 0));
    // A busy machine lets one arrive late, and the next one in time.
    for (const gap of gaps) assert.ok(gap >= apartMs / 2, `${gap} ms between two polls`);
    const allMs = (polls.at(-1) ?? 0) - (polls[0] ?? 0);
    assert.ok(allMs >= apartMs * (gaps.length - 0.5), `${polls.length} polls in ${allMs} ms`);
  },
);

Then('the log of the engine holds these lines:', async function (this: DroverWorld, table: DataTable) {
  assert.deepEqual(await view(this).logLines(), table.raw().flat());
});

Then('the folder of the handoffs holds {string} alone', async function (this: DroverWorld, name: string) {
  assert.deepEqual(await view(this).handoffs(), [name]);
});

Then('it was told another port, which is the one of its handoff', async function (this: DroverWorld) {
  const wanted = this.stack.prepared?.port ?? 0;
  const { port, url } = await this.stack.pool.handoff();
  const { argv } = await view(this).engine();
  assert.ok(port > wanted && port < wanted + 200, `${port} instead of ${wanted}`);
  assert.equal(url, `http://127.0.0.1:${port}`);
  assert.equal(argv[argv.indexOf('--port') + 1], String(port));
});

Then('the node has logged that the engine was killed, and why', async function (this: DroverWorld) {
  const { pool_id, reason, pid } = await logLine(this.stack.mustNode(), { event: 'engine_killed' });
  assert.deepEqual([pool_id, reason, typeof pid], ['default', 'preload failed', 'number']);
});

Then(
  'the last activities in the history of the preload are {names}',
  async function (this: DroverWorld, names: string[]) {
    const all = await this.operator.temporal.activitiesOf(PRELOAD);
    assert.deepEqual(all.slice(-names.length), names);
  },
);

Then('the preload comes to be {string}', async function (this: DroverWorld, status: string) {
  await view(this).untilStatus(status);
});

Then('it is the engine that was started first, and the only one', async function (this: DroverWorld) {
  const first = this.stack.firstEnginePid;
  assert.equal(await this.stack.pool.pid(), first);
  assert.deepEqual(await view(this).engines(), [first]);
});
