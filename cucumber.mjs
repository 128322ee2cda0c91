/**
 * Profiles of the features: `default` on the real stack with the embedded engine, in two parts `tasks` and `pools`, `timed` on
 * the time-skipping server, `engines` on an engine that others wrote, `apart` what takes minutes. Run with
 * `npm run test:features` or, for one scenario,
 * `node --import tsx node_modules/@cucumber/cucumber/bin/cucumber.js --name "Four tasks at once"`.
 */
const common = {
  paths: ['features/**/*.feature'],
  import: ['features/support/**/*.ts', 'features/steps/**/*.ts'],
  format: ['progress'],
  publishQuiet: true,
};

const embedded = {
  ...common,
  tags: 'not @time-skipping and not @apart and not @gpu',
  worldParameters: { engine: 'embedded' },
};

export default embedded;

export const tasks = { ...embedded, paths: ['features/!(pools|placement)/**/*.feature'] };

/** On installations of their own, whose pools are drained, exchanged and killed, and on those with two nodes. */
export const pools = { ...embedded, paths: ['features/@(pools|placement)/**/*.feature'] };

export const timed = { ...common, tags: '@time-skipping', worldParameters: { timeSkipping: true } };

/** What takes minutes: hosts of their own, whose cables are cut (needs root and iproute2), engines that stand still. */
export const apart = { ...common, tags: '@apart', worldParameters: { engine: 'embedded' } };

export const engines = { ...common, tags: '@engines and not @gpu', worldParameters: { engine: 'xllamacpp' } };
