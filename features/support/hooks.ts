/** What happens around scenarios: everything is started once, every error is somebody's, nothing is left. */
import {
  After,
  AfterAll,
  Before,
  BeforeAll,
  setDefaultTimeout,
  setWorldConstructor,
  Status,
} from '@cucumber/cucumber';
import { endRun, profileParameters, startRun } from './run.js';
import { endTimed, startTimed } from './timed-run.js';
import { DroverWorld } from './world.js';

/** Waits inside steps have deadlines of their own; this one is for a step that forgot. */
const STEP_LIMIT_MS = 120_000;
/** Start or end of everything, on a machine that does other work. */
const RUN_LIMIT_MS = 180_000;

setDefaultTimeout(STEP_LIMIT_MS);
setWorldConstructor(DroverWorld);

// Whoever ends the run, by Ctrl-C or because it takes too long, ends all that it has started.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    process.stderr.write(`the features were ended by ${signal}\n`);
    void endRun().finally(() => process.exit(1));
  });
}

BeforeAll({ timeout: RUN_LIMIT_MS }, async function (this: { parameters: unknown }) {
  const parameters = profileParameters.parse(this.parameters);
  if (!parameters.timeSkipping) await startRun(parameters);
});

// A server a scenario: its clock stands still while anything of another one is under way.
Before({ tags: '@time-skipping' }, startTimed);
After({ tags: '@time-skipping' }, endTimed);

After(async function (this: DroverWorld, { result }) {
  const unexpected = this.unexpected();
  await this.end();
  if (result?.status === Status.PASSED && unexpected !== undefined) throw new Error(unexpected);
});

AfterAll({ timeout: RUN_LIMIT_MS }, async function () {
  await endRun();
});
