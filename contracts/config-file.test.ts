import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, describe, it } from 'node:test';
import { loggedConfig, parseConfigFile, withConfigFile } from './config-file.js';
import { digestOf, launchOf } from './pool-entry.js';

const problemsOf = (text: string) => {
  try {
    parseConfigFile(text, 'drover.yaml');
  } catch (err) {
    return (err as Error).message.split('\n');
  }
  return assert.fail('the file was taken');
};

describe('the settings of the configuration file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'drover-yaml-'));
  const path = join(folder, 'drover.yaml');
  after(() => rmSync(folder, { recursive: true }));

  const rows = [
    { title: 'takes a number', text: 'DROVER_API_PORT: 9000', expected: { DROVER_API_PORT: '9000' } },
    { title: 'joins a list', text: 'DROVER_API_KEYS: [a, b]', expected: { DROVER_API_KEYS: 'a,b' } },
    {
      title: 'takes true',
      text: 'DROVER_EXIT_WITH_PARENT: true',
      expected: { DROVER_EXIT_WITH_PARENT: 'true' },
    },
    { title: 'leaves out what has no value', text: 'DROVER_MODEL:', expected: {} },
    { title: 'may be empty', text: '# nothing yet\n', expected: {} },
  ];
  for (const { title, text, expected } of rows) {
    it(title, () => {
      const { settings, pools } = parseConfigFile(text, path);
      assert.deepEqual([settings, pools], [expected, undefined]);
    });
  }

  it('B-OBS-051: yields to the environment, and what is overridden is told, without the values of secrets', () => {
    writeFileSync(path, 'DROVER_API_PORT: 9000\nDROVER_LOG_LEVEL: debug\nDROVER_API_KEYS: [from-the-file]');
    const given = {
      DROVER_CONFIG: path,
      DROVER_API_PORT: '9001',
      DROVER_LOG_LEVEL: '',
      DROVER_API_KEYS: 'given',
    };
    const { env, overrides } = withConfigFile(given);
    assert.deepEqual(env, {
      ...{
        DROVER_API_PORT: '9001',
        DROVER_LOG_LEVEL: 'debug',
        DROVER_API_KEYS: 'given',
        DROVER_CONFIG: path,
      },
    });
    assert.deepEqual(overrides, [
      { setting: 'DROVER_API_PORT', file_value: '9000', environment_value: '9001' },
      { setting: 'DROVER_API_KEYS', file_value: '[REDACTED]', environment_value: '[REDACTED]' },
    ]);
    const database = 'DATABASE_URL: postgres://drover:s3cret@db/drover\nDROVER_NODE_TOKEN_FILE: /run/token';
    assert.deepEqual(loggedConfig(parseConfigFile(database, path)).settings, {
      ...{ DATABASE_URL: '[REDACTED]', DROVER_NODE_TOKEN_FILE: '/run/token' },
    });
  });

  it('gives way where the environment has a secret in the other form', () => {
    writeFileSync(path, 'DROVER_API_KEYS_FILE: /run/keys\nDROVER_NODE_TOKEN: sixteen characters');
    const given = { DROVER_CONFIG: path, DROVER_API_KEYS: 'given', DROVER_NODE_TOKEN_FILE: '/run/token' };
    assert.deepEqual(withConfigFile(given).env, given);
  });

  it('B-CFG-016: is named by DROVER_CONFIG or ORCHD_POOLS_CONFIG, and one that is named and missing is refused', () => {
    assert.deepEqual(withConfigFile({ DROVER_CONFIG: '', A: '1' }), {
      ...{ env: { A: '1' }, file: undefined, overrides: [] },
    });
    const missing = join(folder, 'none.yaml');
    for (const name of ['DROVER_CONFIG', 'ORCHD_POOLS_CONFIG']) {
      const message = `${missing}: does not exist; DROVER_CONFIG names it`;
      assert.throws(() => withConfigFile({ [name]: missing }), { name: 'SettingsError', message });
    }
    writeFileSync(path, 'pools: []');
    assert.deepEqual(withConfigFile({ ORCHD_POOLS_CONFIG: path }).file?.pools, []);
  });

  const wrong = [
    {
      title: 'a name that is no setting',
      text: '\nDROVER_API_PROT: 1',
      line: '2: DROVER_API_PROT is no setting',
    },
    { title: 'its own name', text: 'DROVER_CONFIG: x', line: '1: DROVER_CONFIG names this file' },
    { title: 'a nested value', text: 'DROVER_MODEL: { path: x }', line: '1: DROVER_MODEL must be a text' },
    { title: 'a list at the top', text: '- DROVER_MODEL', line: ' must hold one setting a line' },
    { title: 'what is not YAML', text: 'DROVER_MODEL: [', line: '1: is not YAML' },
    {
      title: 'two of one name',
      text: 'DROVER_MODEL: a\nDROVER_MODEL: b',
      line: '2: is not YAML: Map keys must be unique',
    },
  ];
  for (const { title, text, line } of wrong) {
    it(`refuses ${title}, naming file and line`, () => {
      assert.ok(problemsOf(text)[0]?.startsWith(`drover.yaml:${line}`), problemsOf(text)[0]);
    });
  }
});

describe('the pools of the configuration file', () => {
  const EMBEDDED = { binary: '/usr/bin/node', main: '/drover/embedded.js' };
  const only = (text: string) => {
    const [entry] = parseConfigFile(text, 'drover.yaml').pools ?? [];
    assert.ok(entry !== undefined);
    return entry;
  };

  it('OC-POOL-3001: an entry is the whole launch of an engine, what it leaves out by defaults', () => {
    const entry = only('pools:\n  - { id: small, model: /models/tea.gguf, backend: cpu }');
    const { config_digest, ...launch } = launchOf(entry, EMBEDDED);
    assert.equal(config_digest, digestOf(entry));
    assert.deepEqual(launch, {
      ...{ pool_id: 'small', replica_id: 'r0', engine: 'llamacpp', engine_version: 'unknown' },
      ...{ engine_digest: null, engine_catalog_id: null, provisioning_mode: 'package' },
      binary_path: '/usr/bin/node',
      flags: [
        ...['/drover/embedded.js', '--model', '/models/tea.gguf', '--alias', 'tea', '--host', '127.0.0.1'],
        ...['--port', '9300', '--ctx-size', '16384', '--parallel', '4', '--metrics'],
      ],
      ...{ host: '127.0.0.1', port: 9300, port_fixed: false, health_path: '/health' },
      ...{ model_path: '/models/tea.gguf', model_ref: 'file:/models/tea.gguf', model_name: null },
      ...{ backend: 'cpu', device_mask: null, share_devices: false, tensor_split: null, split_plan: null },
      ...{ slots_total: 4, ctx_max: 4096, env: {} },
    });
  });

  it('a model that is elsewhere is known by where it comes from, and its place is told once it is there', () => {
    const launch = launchOf(
      only('pools:\n  - { id: small, model: "hf:org/repo/tea.gguf", backend: cpu }'),
      EMBEDDED,
    );
    assert.deepEqual([launch.model_ref, launch.model_path], ['hf:org/repo/tea.gguf', '{model_path}']);
    assert.deepEqual(launch.flags.slice(1, 5), ['--model', '{model_path}', '--alias', 'tea']);
    assert.throws(() => only('pools: [{ id: small, model: "oci://r/m:tag" }]'), /pools\[0\]\.model/);
  });

  it('an entry says when its pool sleeps, and an entry that does not is the launch that it was', () => {
    const entry = only('pools: [{ id: a, model: /m.gguf, on_demand: true, idle_ttl_ms: 600000 }]');
    const { on_demand, idle_ttl_ms } = launchOf(entry, EMBEDDED);
    assert.deepEqual([on_demand, idle_ttl_ms], [true, 600_000]);
    const without = launchOf(only('pools: [{ id: a, model: /m.gguf }]'), EMBEDDED);
    assert.deepEqual(['on_demand' in without, 'idle_ttl_ms' in without], [false, false]);
  });

  it('an entry names GPUs, split, program, flags and environment', () => {
    const launch = launchOf(
      only(`pools:
  - id: big
    engine_version: b7
    model: /models/big.gguf
    model_ref: big@7
    model_name: big
    ctx: 8192
    slots: 2
    devices: [1, GPU-aa]
    tensor_split: [0.25, 0.75]
    provisioning: { mode: binary, path: /opt/llama-server, flags: [--flash-attn], env: { LD_LIBRARY_PATH: /opt } }
`),
      EMBEDDED,
    );
    assert.deepEqual([launch.device_mask, launch.tensor_split], ['1,GPU-aa', [0.25, 0.75]]);
    assert.deepEqual([launch.binary_path, launch.env], ['/opt/llama-server', { LD_LIBRARY_PATH: '/opt' }]);
    assert.deepEqual(launch.flags.slice(-3), ['--n-gpu-layers', '999', '--flash-attn']);
    assert.equal(launch.flags[launch.flags.indexOf('--ctx-size') + 1], '16384');
    assert.deepEqual([launch.model_ref, launch.model_name, launch.engine_version], ['big@7', 'big', 'b7']);
  });

  it('an entry may have its engine built, downloaded or installed before it is started', () => {
    const launched = (provisioning: string, more = '') =>
      launchOf(only(`pools: [{ id: a, model: /m.gguf${more}, provisioning: ${provisioning} }]`), EMBEDDED);
    const source = launched(
      '{ mode: source, repository: "https://github.com/ggml-org/llama.cpp", ref: b6000, flags: [--jinja] }',
    );
    assert.deepEqual([source.binary_path, source.provisioning_mode], ['{engine_path}', 'source']);
    assert.deepEqual(source.provisioning, {
      ...{
        mode: 'source',
        repository: 'https://github.com/ggml-org/llama.cpp',
        ref: 'b6000',
        build_flags: [],
      },
    });
    assert.deepEqual([source.flags[0], source.flags.at(-1)], ['--model', '--jinja']);
    const sha256 = '0'.repeat(64);
    const binary = launched(`{ mode: binary, url: "https://e.test/v1/serve", sha256: "${sha256}" }`);
    assert.deepEqual(binary.provisioning, { mode: 'binary', url: 'https://e.test/v1/serve', sha256 });
    const package_ = launched('{ mode: package, package: llama.cpp, program: llama-server }');
    assert.deepEqual([package_.binary_path, package_.provisioning_mode], ['{engine_path}', 'package']);
    const refused = [
      ['{ mode: package, package: llama.cpp }', /both package and program/],
      ['{ mode: binary, path: /opt/serve, sha256: 1 }', /sha256/],
      ['{ mode: binary, url: "https://e.test/serve" }', /either the path .* or url and sha256/],
      [`{ mode: binary, url: "https://e.test/e.zip", sha256: "${sha256}" }`, /program must name the program/],
      ['{ mode: source, repository: "https://me:secret@e.test/r", ref: v1 }', /repository must not hold/],
      ['{ mode: source, repository: "ext::sh -c id", ref: v1 }', /repository must be an address/],
      ['{ mode: source, repository: "https://e.test/r", ref: --upload-pack=id }', /ref must be/],
      [
        '{ mode: source, repository: "https://e.test/r", ref: v1, build_flags: [-P] }',
        /build_flags\[0\] must be -D/,
      ],
      [
        '{ mode: source, repository: "https://e.test/r", ref: v1, program: ../../id }',
        /program must be a path/,
      ],
    ] as const;
    for (const [provisioning, problem] of refused) assert.throws(() => launched(provisioning), problem);
    const vllm = '{ mode: source, repository: "https://e.test/r", ref: v1 }';
    assert.throws(() => launched(vllm, ', engine: vllm'), /program must name the program/);
  });

  it('only what an engine depends on changes its digest', () => {
    const digest = (more = '') => digestOf(only(`pools: [{ id: a, model: /m.gguf${more} }]`));
    for (const same of ['preload: false', 'drain_deadline_ms: 5', 'supervision: { min_ms: 9 }', 'slots: 4'])
      assert.equal(digest(`, ${same}`), digest(), same);
    for (const other of ['slots: 5', 'devices: [0]', 'engine_version: b8', 'model_name: tea'])
      assert.notEqual(digest(`, ${other}`), digest(), other);
  });

  it('every problem of every entry is told, with its line and path', () => {
    const problems = problemsOf(`DROVER_API_PROT: 1
pools:
  - id: a
    model: models/a.gguf
    slots: 0
  - id: a
    model: /m.gguf
    modle: /n.gguf
    tensor_split: auto
    provisioning: { mode: container }
    supervision: { cap_ms: 1 }
  - id: v
    model: /m
    engine: vllm
`);
    const expected = [
      /^drover.yaml:1: DROVER_API_PROT is no setting$/,
      /^drover.yaml:4: pools\[0\]\.model must be an absolute path or a reference by hf:, https: or s3:$/,
      /^drover.yaml:5: pools\[0\]\.slots /,
      /^drover.yaml:8: pools\[1\]\.modle is no field of a pool$/,
      /^drover.yaml:10: pools\[1\]\.provisioning\.mode .*package.*binary.*source/,
    ];
    for (const pattern of expected)
      assert.ok(
        problems.some((line) => pattern.test(line)),
        problems.join('\n'),
      );
    const later = problemsOf(`pools:
  - { id: a, model: /m.gguf, tensor_split: auto, supervision: { cap_ms: 1 } }
  - { id: v, model: /m.gguf, engine: vllm }
`);
    assert.deepEqual([...new Set(later.map((line) => line.split(' ', 2).join(' ')))].sort(), [
      'drover.yaml:2: pools[0].supervision.cap_ms',
      'drover.yaml:2: pools[0].tensor_split',
      'drover.yaml:3: pools[1].provisioning',
    ]);
    const twice = 'pools:\n  - { id: a, model: /m }\n  - { id: a, model: /m }';
    assert.deepEqual(problemsOf(twice), ['drover.yaml:3: pools[1].id is the id of a pool above it, too']);
  });

  it('B-OBS-054: the example that is shipped is taken', () => {
    const path = resolve(import.meta.dirname, '..', 'deploy', 'drover.example.yaml');
    const { pools, settings } = parseConfigFile(readFileSync(path, 'utf8'), path);
    assert.deepEqual(
      [pools?.map(({ id }) => id), Object.keys(settings)],
      [['small', 'seldom', 'large'], ['DROVER_API_PORT']],
    );
    for (const entry of pools ?? []) assert.equal(launchOf(entry, EMBEDDED).pool_id, entry.id);
  });
});
