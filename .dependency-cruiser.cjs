/**
 * The house's walls: which room may import what. `type` dependencies are told apart, because a type vanishes from the
 * running code: workflows stay deterministic and the workflow bundle small. Tests are excepted, they reach everywhere.
 */
const ROOMS =
  'domain|contracts|workflows|activities|api|workers|store|engines|telemetry|security|stack|cli|features|testing|bench|setup';
const TEST = '\\.test\\.(ts|mjs)$';
/** From `room`, nothing of ours but the rooms named (and the room itself). */
const mayKnow = (name, room, known, comment) => ({
  name,
  comment,
  severity: 'error',
  from: { path: `^${room}/`, pathNot: TEST },
  to: { path: `^(${ROOMS})/`, pathNot: `^(${[room, ...known].join('|')})/` },
});

module.exports = {
  forbidden: [
    {
      name: 'domain-is-the-ground',
      comment: 'domain/ decides by its arguments alone: no packages, no builtins, nothing of ours',
      severity: 'error',
      from: { path: '^domain/', pathNot: TEST },
      to: { pathNot: '^domain/' },
    },
    mayKnow(
      'contracts-know-domain-only',
      'contracts',
      ['domain'],
      'what crosses a border knows no side of it',
    ),
    mayKnow('store-knows-contracts-and-domain-only', 'store', ['domain', 'contracts'], 'rows, not rules'),
    {
      name: 'nodes-have-no-store',
      comment: 'a GPU node works without the database; API and control worker hand in what they keep there',
      severity: 'error',
      from: { path: '^(workers/node|activities|workflows)/', pathNot: TEST },
      to: { path: '^store/' },
    },
    mayKnow(
      'security-knows-contracts-and-domain-only',
      'security',
      ['domain', 'contracts'],
      'keys know no process',
    ),
    mayKnow(
      'telemetry-knows-contracts-and-domain-only',
      'telemetry',
      ['domain', 'contracts'],
      'measured by all',
    ),
    {
      name: 'workflows-stay-deterministic',
      comment: 'by value only workflows, domain and the workflow SDK reach the bundle',
      severity: 'error',
      from: { path: '^workflows/', pathNot: TEST },
      to: {
        pathNot: '^(workflows|domain)/|(^|/)node_modules/@temporalio/(workflow|common)/',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'workflows-know-no-process',
      comment: 'not even by type',
      severity: 'error',
      from: { path: '^workflows/', pathNot: TEST },
      to: { path: '^(api|workers|store|telemetry|stack)/' },
    },
    {
      name: 'api-starts-by-type',
      comment:
        'workflows and activities by type, but for the names they are spoken to and found by; server.ts plugs in a worker',
      severity: 'error',
      from: { path: '^api/', pathNot: [TEST, '^api/server\\.ts$'] },
      to: {
        path: '^(activities|workers|workflows)/',
        pathNot: '^workflows/(messages|search-attributes)\\.ts$',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'activities-look-down',
      comment: 'the hands know neither the story nor the door',
      severity: 'error',
      from: { path: '^activities/', pathNot: TEST },
      to: { path: '^(api|workflows|workers|stack)/' },
    },
    {
      name: 'stack-looks-down',
      comment: '`npm start` starts processes and speaks to them as anybody could; it imports none of them',
      severity: 'error',
      from: { path: '^stack/', pathNot: TEST },
      to: {
        path: `^(${ROOMS})/`,
        pathNot: '^(stack|domain|contracts|security|telemetry)/|^activities/process/',
      },
    },
    {
      name: 'nobody-imports-the-stack',
      comment: 'it is a program; the tests share how a Temporal of one machine is started',
      severity: 'error',
      from: { path: `^(${ROOMS})/`, pathNot: [TEST, '^stack/', '^(testing|features/support|bench)/'] },
      to: { path: '^stack/' },
    },
    mayKnow(
      'the-command-line-is-a-client',
      'cli',
      ['domain', 'contracts'],
      'it speaks to the API as anybody could',
    ),
    {
      name: 'nobody-imports-the-command-line',
      comment: 'it is a program',
      severity: 'error',
      from: { path: `^(${ROOMS})/`, pathNot: [TEST, '^cli/'] },
      to: { path: '^cli/' },
    },
    {
      name: 'one-room-for-processes',
      comment: 'child processes are started and ended in activities/process/ alone',
      severity: 'error',
      from: { pathNot: [TEST, '^activities/process/', '^(testing|setup|bench)/'] },
      to: { path: '(^|/)node_modules/execa/|^(node:)?child_process$' },
    },
    {
      name: 'one-room-for-the-client',
      comment:
        "Temporal's client is api/clients/'s; the stack's set-up of a server of its own is the one exception",
      severity: 'error',
      from: {
        pathNot: [TEST, '^api/clients/', '^stack/temporal-admin\\.ts$', '^(features/support|testing|bench)/'],
      },
      to: { path: '(^|/)node_modules/@temporalio/client/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'engine-is-a-process',
      comment: 'our engine is started, never imported',
      severity: 'error',
      from: { path: `^(${ROOMS})/`, pathNot: [TEST, '^engines/'] },
      to: { path: '^engines/' },
    },
    {
      name: 'engine-knows-nobody',
      comment: 'the embedded engine is a program of its own',
      severity: 'error',
      from: { path: '^engines/', pathNot: TEST },
      to: { path: `^(${ROOMS})/`, pathNot: '^engines/' },
    },
    {
      name: 'steps-are-thin',
      comment: 'a step speaks to its World',
      severity: 'error',
      from: { path: '^features/steps/' },
      to: { path: '^(api|workers|workflows|activities|domain|store|telemetry|security|stack)/' },
    },
    {
      name: 'no-circular',
      comment: 'a ring by value has no order of loading; by type it is no ring',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-orphans',
      comment: 'a file that nobody uses and that uses nobody is left over',
      severity: 'error',
      from: { orphan: true, pathNot: [TEST, '^setup/count-reporter\\.mjs$', '(^|/)main\\.ts$'] },
      to: {},
    },
    {
      name: 'not-to-test',
      comment: 'tests are not a library',
      severity: 'error',
      from: { pathNot: TEST },
      to: { path: TEST },
    },
    {
      name: 'not-to-unresolvable',
      comment: 'an import that leads nowhere',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'not-to-dev-dependencies',
      comment: 'what runs in production is a dependency',
      severity: 'error',
      from: {
        path: '^(domain|contracts|workflows|activities|api|workers|store|telemetry|security|stack|cli)/',
        pathNot: TEST,
      },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|\\.runtime)/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: 'specify',
    combinedDependencies: false,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      extensions: ['.ts', '.mjs', '.js'],
    },
    builtInModules: { add: ['node:test', 'node:sqlite'] },
  },
};
