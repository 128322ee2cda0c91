/**
 * Profiles of the features: `default` on the real stack with the embedded engine, in three parts `tasks`, `clients` and
 * `pools`, `timed` on the time-skipping server, `engines` on an engine that others wrote, which alone does what is
 * `@llama-server`, `apart` what takes minutes. Run with `npm run test:features` or, for one scenario,
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
  tags: 'not @time-skipping and not @apart and not @gpu and not @llama-server',
  worldParameters: { engine: 'embedded' },
};

export default embedded;

const ELSEWHERE = 'pools|placement|preload|openai|anthropic|cli|nodes';
export const tasks = { ...embedded, paths: [`features/!(${ELSEWHERE})/**/*.feature`] };

/** Clients of others, the command line, and operators of nodes. */
export const clients = { ...embedded, paths: ['features/@(openai|anthropic|cli|nodes)/**/*.feature'] };

/** On installations of their own, whose pools are preloaded, drained, exchanged and killed, and on those with two nodes. */
export const pools = { ...embedded, paths: ['features/@(pools|placement|preload)/**/*.feature'] };

export const timed = { ...common, tags: '@time-skipping', worldParameters: { timeSkipping: true } };

/** What takes minutes: hosts of their own, whose cables are cut (needs root and iproute2), engines that stand still. */
export const apart = { ...common, tags: '@apart', worldParameters: { engine: 'embedded' } };

export const engines = { ...common, tags: '@engines and not @gpu', worldParameters: { engine: 'xllamacpp' } };
