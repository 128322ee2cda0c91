/** What happens around scenarios: everything is started once, every error is somebody's, nothing is left. */
import { After, AfterAll, BeforeAll, setDefaultTimeout, setWorldConstructor } from '@cucumber/cucumber';
import { endRun, profileParameters, startRun } from './run.js';
import { DroverWorld } from './world.js';

/** Waits inside steps have deadlines of their own; this one is for a step that forgot. */
const STEP_LIMIT_MS = 120_000;
/** Start or end of everything, on a machine that does other work. */
const RUN_LIMIT_MS = 180_000;

setDefaultTimeout(STEP_LIMIT_MS);
setWorldConstructor(DroverWorld);

BeforeAll({ timeout: RUN_LIMIT_MS }, async function (this: { parameters: unknown }) {
  const parameters = profileParameters.parse(this.parameters);
  if (!parameters.timeSkipping) await startRun(parameters);
});

After(async function (this: DroverWorld, { result }) {
  const unexpected = this.unexpected();
  await this.end();
  if (result?.status === 'PASSED' && unexpected !== undefined) throw new Error(unexpected);
});

AfterAll({ timeout: RUN_LIMIT_MS }, endRun);
