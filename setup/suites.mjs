/** The test suites: which files each has, how it runs, and how its result is counted. A skipped test has not passed. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { filesBelow } from './digests.mjs';

const ROOT = resolve(import.meta.dirname, '..');
const CUCUMBER = join(ROOT, 'node_modules', '@cucumber', 'cucumber', 'bin', 'cucumber.js');
/** Where unit tests stand, each beside the file it tests. */
const UNIT_FOLDERS = [
  ...[
    'domain',
    'contracts',
    'security',
    'telemetry',
    'store',
    'activities',
    'api',
    'workers',
    'stack',
    'cli',
    'testing',
    'bench',
  ],
  ...['engines/demo-model', 'engines/embedded', 'setup'],
];
/** A test of ours that needs an S3 server, which is there for the suite `engines` alone. */
const OF_S3 = 'activities/model/s3-origin.test.ts';
/** A file of unit tests mostly loads what it tests: on two cores two at once take two thirds of the time. */
const FILES_AT_ONCE = 2;
/** One test; a test that waits longer waits for something that does not come. */
const TEST_TIMEOUT_MS = 120_000;
/** Between the request to end and the end, when a suite has run out of time. */
const STOP_GRACE_MS = 10_000;

/**
 * Suites by name; each has a limit of several times what it takes on two cores, and is given a file outside the tree
 * for its result and the environment of the tests.
 *
 * @typedef {{ passed: number, failed: number, notes: string[] }} SuiteResult
 * @type {Record<string, (resultFile: string, env: Record<string, string>) => Promise<SuiteResult>>}
 */
export const suites = {
  unit: nodeTests(900_000, () => UNIT_FOLDERS.flatMap(testsBelow), FILES_AT_ONCE),
  workflows: nodeTests(900_000, () => testsBelow('workflows')),
  features: features(1_500_000, 'tasks'),
  clients: features(900_000, 'clients'),
  pools: features(1_200_000, 'pools'),
  timed: features(600_000, 'timed'),
  engines: inTurn(
    nodeTests(600_000, () => ['engines/embedded/contract.test.ts', OF_S3].map((path) => join(ROOT, path))),
    features(900_000, 'engines'),
    features(900_000, 'apart'),
  ),
  dialects: nodeTests(600_000, () => testsBelow('testing/llama-cpp-python')),
  readme: nodeTests(600_000, () => testsBelow('testing/readme')),
};

/** One suite of several runs, each with a result file of its own. */
function inTurn(...runs) {
  return async (resultFile, env) => {
    const total = { passed: 0, failed: 0, notes: [] };
    for (const [index, run] of runs.entries()) {
      const { passed, failed, notes } = await run(`${resultFile}-${index}`, env);
      total.passed += passed;
      total.failed += failed;
      total.notes.push(...notes);
    }
    return total;
  };
}

function testsBelow(folder) {
  const isTest = (path) => path.endsWith('.test.ts') || path.endsWith('.test.mjs');
  const elsewhere = (path) => {
    const name = relative(ROOT, path);
    return name === OF_S3 || (folder === 'testing' && /^testing\/(llama-cpp-python|readme)\//.test(name));
  };
  return filesBelow(join(ROOT, folder), (path) => isTest(path) && !elsewhere(path));
}

function nodeTests(limitMs, list, atOnce = 1) {
  return async (resultFile, env) => {
    const files = list().map((path) => relative(ROOT, path));
    if (files.length === 0) return empty();
    const reporters = [
      ...['--test-reporter=spec', '--test-reporter-destination=stdout'],
      ...['--test-reporter=./setup/count-reporter.mjs', `--test-reporter-destination=${resultFile}`],
    ];
    const limits = [`--test-timeout=${TEST_TIMEOUT_MS}`, `--test-concurrency=${atOnce}`];
    const args = ['--import', 'tsx', '--test', ...limits, ...reporters, ...files];
    const ended = await runSuite(args, env, limitMs);
    const counted = existsSync(resultFile) ? await readFile(resultFile, 'utf8') : '';
    const { passed, failed, empty: withoutTest } = counted === '' ? NOTHING : JSON.parse(counted);
    return judge(
      { passed, failed, notes: withoutTest.map((file) => `no test in ${relative(ROOT, file)}`) },
      ended,
    );
  };
}

const NOTHING = { passed: 0, failed: 0, empty: [] };

function features(limitMs, profile) {
  return async (resultFile, env) => {
    if (filesBelow(join(ROOT, 'features'), (path) => path.endsWith('.feature')).length === 0) return empty();
    const args = ['--import', 'tsx', CUCUMBER, '--profile', profile, '--format', `message:${resultFile}`];
    const ended = await runSuite(args, env, limitMs);
    const messages = existsSync(resultFile) ? await readFile(resultFile, 'utf8') : '';
    return judge({ ...countScenarios(messages), notes: [] }, ended);
  };
}

/** Counts scenarios in Cucumber's messages: one passed when every step of its last attempt did. */
export function countScenarios(messages) {
  const statuses = new Map();
  let [passed, failed] = [0, 0];
  for (const line of messages.split('\n').filter((text) => text !== '')) {
    const { testCaseStarted, testStepFinished, testCaseFinished } = JSON.parse(line);
    if (testCaseStarted !== undefined) statuses.set(testCaseStarted.id, []);
    if (testStepFinished !== undefined) {
      statuses.get(testStepFinished.testCaseStartedId)?.push(testStepFinished.testStepResult.status);
    }
    if (testCaseFinished === undefined || testCaseFinished.willBeRetried === true) continue;
    const steps = statuses.get(testCaseFinished.testCaseStartedId) ?? [];
    if (steps.length > 0 && steps.every((status) => status === 'PASSED')) passed += 1;
    else failed += 1;
  }
  return { passed, failed };
}

function empty() {
  return { passed: 0, failed: 1, notes: ['the suite is empty'] };
}

/** A run that ended badly without a failed test has failed once: a hook broke, or the runner did. */
function judge({ passed, failed, notes }, ended) {
  if (passed + failed === 0) return ended.ok ? empty() : { passed, failed: 1, notes: [...notes, ended.why] };
  if (!ended.ok && failed === 0) return { passed, failed: 1, notes: [...notes, ended.why] };
  return { passed, failed, notes: ended.late ? [...notes, ended.why] : notes };
}

/** Runs a suite in a process group of its own, so that running out of time or Ctrl-C ends all of it. */
function runSuite(args, env, limitMs) {
  return new Promise((done) => {
    const stdio = ['ignore', 'inherit', 'inherit'];
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio,
      detached: true,
    });
    let late = false;
    const stop = (signal) => signalGroup(child.pid, signal);
    const onSignal = () => stop('SIGTERM');
    process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
    const limit = setTimeout(() => {
      late = true;
      stop('SIGTERM');
      setTimeout(stop, STOP_GRACE_MS, 'SIGKILL').unref();
    }, limitMs);
    child.on('close', (code, signal) => {
      clearTimeout(limit);
      process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
      if (late) signalGroup(child.pid, 'SIGKILL'); // Whatever outlived the runner.
      const why = late
        ? `the suite took longer than ${limitMs / 1000} s`
        : `the runner ended with ${signal ?? `code ${code}`}`;
      done({ ok: code === 0, late, why });
    });
  });
}

function signalGroup(pid, signal) {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}
