/**
 * Every command of the README is run as it stands there, but for what would meet another installation on the same
 * machine: ports, the state folder and the path of a model. A command that this test does not know fails it.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { spawn } from 'node:child_process';
import { after, before, test } from 'node:test';

const ROOT = resolve(import.meta.dirname, '..', '..');
const START_LIMIT_MS = 90_000;
const END_LIMIT_MS = 40_000;

let blocks: string[] = [];
let folder = '';
let ports: number[] = [];

before(async () => {
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
  blocks = [...readme.matchAll(/```sh\n(.*?)```/gs)].map(([, block]) => block ?? '');
  folder = await mkdtemp(join(tmpdir(), 'drover-readme-'));
  ports = await Promise.all(Array.from({ length: 4 }, freePort));
});
after(() => rm(folder, { recursive: true, force: true }));

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

/** The block that holds `part`, made fit for this machine. */
function block(part: string): string {
  const found = blocks.find((text) => text.includes(part));
  assert.ok(found !== undefined, `the README has no command with ${part}`);
  return found
    .replaceAll('127.0.0.1:8080', `127.0.0.1:${ports[0]}`)
    .replaceAll('.runtime/', `${folder}/state/`)
    .replaceAll(/DROVER_MODEL=\S+/g, `DROVER_MODEL=${folder}/model.gguf`);
}

function environment(): NodeJS.ProcessEnv {
  return {
    ...process.env,
    DROVER_STATE_DIR: join(folder, 'state'),
    DROVER_API_PORT: String(ports[0]),
    DROVER_TEMPORAL_PORT: String(ports[1]),
    DROVER_TEMPORAL_UI_PORT: String(ports[2]),
    DROVER_NODE_ADDR: `127.0.0.1:${ports[3]}`,
  };
}

/** Runs a command in a shell to its end, or until its output holds `until`. */
function shell(command: string, until?: string) {
  const child = spawn('bash', ['-c', command], {
    cwd: ROOT,
    env: environment(),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const ended = once(child, 'exit') as Promise<[number | null]>;
  const said = new Promise<void>((done) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (bytes: Buffer) => {
        output += bytes.toString();
        if (until !== undefined && output.includes(until)) done();
      });
    }
  });
  const interrupt = () => process.kill(-(child.pid ?? 0), 'SIGINT');
  return { ended, said, interrupt, output: () => output };
}

async function within<T>(limitMs: number, what: () => string, wait: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(what()));
    }, limitMs);
  });
  try {
    return await Promise.race([wait, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function withStack(command: string, use: (printed: string) => Promise<void>): Promise<void> {
  const stack = shell(command, 'Ctrl-C ends it');
  try {
    const early = stack.ended.then(() => assert.fail(`it ended: ${stack.output()}`));
    await within(START_LIMIT_MS, () => `not up: ${stack.output()}`, Promise.race([stack.said, early]));
    await use(stack.output());
  } finally {
    stack.interrupt();
    await within(END_LIMIT_MS, () => `not ended: ${stack.output()}`, stack.ended);
  }
}

async function run(command: string): Promise<string> {
  const { ended, output } = shell(command);
  const [code] = await within(START_LIMIT_MS, () => `too slow: ${output()}`, ended);
  assert.equal(code, 0, output());
  return output();
}

test('npm start prints a line that streams tokens when it is pasted, and so do the commands that follow it', async () => {
  await withStack(block('npm start'), async (printed) => {
    const pasted = /^ {2}(ID=.*)$/m.exec(printed)?.[1];
    assert.ok(pasted !== undefined, printed);
    assert.match(await run(pasted), /event: token\ndata: \{"t":"Waves"[\s\S]*event: end\n/);
    assert.match(await run(block('npx drover')), /^Waves [^]*\ndefault +demo [^]*\nok +pools /m);
    assert.match(await run(block('tea-1')), /event: token[\s\S]*event: end\n/);
    assert.match(await run(block('/v1/chat/completions')), /data: \[DONE\]/);
  });
});

test("a model of one's own is named by its path", async () => {
  const model = process.env['DROVER_TEST_MODEL'];
  assert.ok(model !== undefined, 'DROVER_TEST_MODEL is not set; run the tests with npm');
  await copyFile(model, join(folder, 'model.gguf'));
  await withStack(block('DROVER_MODEL='), async (printed) => {
    assert.match(printed, /model\.gguf/);
  });
});

test('every other command is one that CI runs itself', async () => {
  const known = ['npm start', 'npx drover', 'tea-1', 'DROVER_MODEL=', '/v1/chat/completions'];
  const others = blocks.filter((text) => !known.some((part) => text.includes(part)));
  const commands = others.flatMap((text) => text.split('\n').filter((line) => line !== ''));
  const ci = await readFile(join(ROOT, '.ci', 'run'), 'utf8');
  assert.ok(commands.length >= 3);
  for (const command of commands) {
    const script = command.replace(/^npm (run )?/, '').split(' ')[0] ?? '';
    assert.match(ci, new RegExp(`\\bstep (run )?${script}\\b`), command);
  }
});
