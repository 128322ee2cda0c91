/**
 * Every setting of every process, read once at start from the environment (B-OBS-052: a wrong one stops the process
 * with its name, what it was meant to be, and exit code 1). The table in `docs/configuration.md` is made from here.
 */
import { homedir } from 'node:os';
import { isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import { POOL_ID_PATTERN } from '../domain/identity.js';
import { PLACEMENT_STRATEGIES } from '../domain/placement-strategy.js';
import { LONGEST_SESSION_MS } from './session.js';
import { LONGEST_RUN_MS } from './task.js';
import {
  backends,
  BACKENDS,
  engineKeys,
  address,
  list,
  modelSources,
  ms,
  networks,
  nodes,
  origins,
  pools,
  port,
  restartPolicy,
  secretFile,
  portRange,
} from './setting-kinds.js';

const path = z
  .string()
  .min(1)
  .optional()
  .transform((p) => (p === undefined ? undefined : resolve(p)));
const nodeToken = z.string().min(16).optional();

/** All settings, with their defaults; the descriptions are the documentation. */
export const settingsSchema = z.object({
  DROVER_API_PORT: port(8080).describe('Port of the API, 1024 to 65535; 0 takes a free one.'),
  DROVER_API_HOST: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe(
      'Address the API listens on. Beyond loopback `DROVER_API_KEYS` must be set, each key at least 16 characters long.',
    ),
  DROVER_CONFIG: z
    .string()
    .min(1)
    .optional()
    .transform((p) => (p === undefined ? undefined : resolve(p)))
    .describe(
      'Configuration file: these settings by their names, and under `pools:` what shall serve; without it `npm start` looks for `drover.yaml` where it runs.',
    ),
  DROVER_STATE_DIR: z
    .string()
    .min(1)
    .default('.runtime')
    .transform((p) => (isAbsolute(p) ? p : resolve(p)))
    .describe('Folder for everything that Drover keeps on this machine.'),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\/\S+$/, 'must be postgres://<user>:<password>@<host>/<database>')
    .optional()
    .describe(
      'PostgreSQL database of API and control worker, for more than one machine; without it SQLite in the state folder.',
    ),
  DATABASE_URL_FILE: secretFile('DATABASE_URL'),
  DROVER_API_KEYS: list
    .default([])
    .describe(
      'Keys of operators, comma-separated; `POST /v2/keys` makes more. Without it `npm start` makes one and keeps it in the state folder.',
    ),
  AUTH_OPTIONAL: z
    .stringbool()
    .default(false)
    .describe(
      'Programs on the same machine need no key. A reverse proxy there must send `X-Forwarded-For`, or all its callers count as local.',
    ),
  TRUST_PROXY_AUTH: z
    .stringbool()
    .default(false)
    .describe(
      'A reverse proxy on the same machine has checked who calls: the bearer token that it sets in `Authorization`, in place of what the caller sent, counts as a client key.',
    ),
  DROVER_API_KEYS_FILE: secretFile('DROVER_API_KEYS'),
  DROVER_KEY_RATE_LIMIT: z.coerce
    .number()
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .describe(
      'Requests a minute that one key may make of one API, unless it has a limit of its own; without it there is none.',
    ),
  DROVER_INVALID_REQUEST_LIMIT: z.coerce
    .number()
    .int()
    .min(1)
    .max(1_000_000)
    .default(50)
    .describe(
      'Invalid requests a second that one client is told what is wrong with; those beyond are answered 429.',
    ),
  DROVER_TLS_CERT: path.describe(
    'File of a certificate in PEM, its chain behind it: with `DROVER_TLS_KEY` the API speaks HTTPS.',
  ),
  DROVER_TLS_KEY: path.describe('File of its private key in PEM, mode 0600 or 0400.'),
  DROVER_CORS_ORIGINS: origins
    .default([])
    .describe('Origins of pages that may call the API from a browser, comma-separated; without it none may.'),
  DROVER_AUDIT_LOG: z
    .string()
    .min(1)
    .optional()
    .transform((p) => (p === undefined || p === 'off' ? p : resolve(p)))
    .describe(
      'Folder of the audit logs of this machine; without it `audit` in the state folder. `off` keeps none.',
    ),
  DROVER_AUDIT_LIMIT_BYTES: z.coerce
    .number()
    .int()
    .min(1)
    .default(4 * 1_073_741_824)
    .describe('Bytes of the archived audit logs of one process; beyond them the oldest are removed.'),
  DROVER_MODEL: z
    .string()
    .optional()
    .describe(
      'Path of a GGUF file to serve from the pool `default`; without it the bundled demonstration model.',
    ),
  DROVER_ENGINE_BINARY: z
    .string()
    .optional()
    .describe(
      'Path of a `llama-server` for the pool `default`; without it the one on PATH, else the embedded engine.',
    ),
  DROVER_MODELS_ON_DEMAND: z
    .enum(['off', 'cpu', 'cuda', 'metal', 'vulkan'])
    .default('off')
    .describe(
      'What the engine runs on that a model of the catalogue gets, when a task asks for it and no pool serves it; `off`: pools that are on record are all there are. `npm start` sets what the machine has.',
    ),
  DROVER_POOL_SLOTS: z.coerce
    .number()
    .int()
    .min(1)
    .max(1024)
    .default(4)
    .describe('Tasks that the pool `default` runs at once.'),
  DROVER_POOL_CTX: z.coerce
    .number()
    .int()
    .min(64)
    .max(2_147_483_647)
    .default(4096)
    .describe('Context of one task in the pool `default`, in tokens.'),
  DROVER_POOL_DETERMINISTIC: z
    .stringbool()
    .default(false)
    .describe(
      'The pool `default` runs one task at a time, without continuous batching: the same request then gives the same text, whatever runs beside it.',
    ),
  DROVER_PAYLOAD_KEYS: z
    .string()
    .optional()
    .describe(
      'Keys that seal workflow payloads and run logs: `id:base64` of 32 bytes, or `id:token:` and a token of 32 characters or more that the key is derived from; comma-separated, the first seals, all open. Without it one is made in the state folder.',
    ),
  DROVER_PAYLOAD_KEYS_FILE: secretFile('DROVER_PAYLOAD_KEYS'),
  TEMPORAL_ADDRESS: z
    .string()
    .optional()
    .describe('Address of a Temporal frontend; without it `npm start` runs its own.'),
  TEMPORAL_NAMESPACE: z.string().min(1).default('default').describe('Temporal namespace.'),
  DROVER_TEMPORAL_PORT: port(7233).describe('Port of the Temporal server that `npm start` runs.'),
  DROVER_TEMPORAL_UI_PORT: port(8233).describe('Port of its web UI.'),
  DROVER_NODE_ID: z.string().regex(POOL_ID_PATTERN).default('node-1').describe('Name of this GPU node.'),
  DROVER_NODE_ADDR: address
    .default('127.0.0.1:9200')
    .describe('Address the node gateway listens on, host:port.'),
  DROVER_NODE_TOKEN: nodeToken.describe('Bearer token between API, workflows and node gateways.'),
  DROVER_NODE_TOKEN_FILE: secretFile('DROVER_NODE_TOKEN'),
  AUTH_TOKEN: nodeToken.describe('Another name of `DROVER_NODE_TOKEN`; all that are set must be the same.'),
  AUTH_TOKEN_FILE: secretFile('AUTH_TOKEN'),
  LLORCH_API_TOKEN: nodeToken.describe('Another name of `DROVER_NODE_TOKEN`.'),
  LLORCH_API_TOKEN_FILE: secretFile('LLORCH_API_TOKEN'),
  DROVER_NODES: nodes
    .default([])
    .describe('Nodes that the API may place tasks on: `<node id>=<http url>`, comma-separated.'),
  DROVER_NODE_REGISTRATION: z
    .enum(['open', 'off'])
    .default('open')
    .describe(
      'Whether node workers may register at the API beside those of `DROVER_NODES`; `off` is for one node, or a fixed set.',
    ),
  DROVER_API_URL: z
    .url({ protocol: /^https?$/, error: 'must be http://<host>:<port>' })
    .optional()
    .transform((url) => url?.replace(/\/+$/, ''))
    .describe(
      'Address at which node workers reach the API: a node worker registers there and reports every 10 s; control workers tell it to the nodes that they install.',
    ),
  DROVER_NODE_URL: z
    .url({ protocol: /^https?$/, error: 'must be http://<host>:<port>' })
    .optional()
    .transform((url) => url?.replace(/\/+$/, ''))
    .describe(
      'Address at which APIs reach the gateway of this node; without it `DROVER_NODE_ADDR`, or the name of the machine where that is every address.',
    ),
  DROVER_NODE_ON_EXIT: z
    .enum(['stop', 'leave'])
    .default('stop')
    .describe(
      'What a node worker does with its engines when it is told to end: `stop` them, or `leave` them for the next worker to adopt.',
    ),
  DROVER_PLACEMENT_STRATEGY: z
    .enum(PLACEMENT_STRATEGIES)
    .default('least-loaded')
    .describe('Which of several ready pools gets a task; an API takes turns of its own under `round-robin`.'),
  DROVER_PLACEMENT_PINNING: z
    .enum(['allow', 'refuse'])
    .default('allow')
    .describe('Whether a request may name the pool that must serve it.'),
  DROVER_ADMISSION_POLICY: z
    .enum(['reject', 'drop-lru', 'shed-low-priority', 'reject-new'])
    .default('reject')
    .transform((policy) => (policy === 'reject-new' ? 'reject' : policy))
    .describe(
      'What a full queue does with one more task: refuse it, or drop the one that waits longest, batch before interactive, or (`shed-low-priority`) drop the batch task that waits longest for an interactive one and refuse all others. `reject-new` is another name of `reject`.',
    ),
  DROVER_ADMISSION_CAPACITY: z.coerce
    .number()
    .int()
    .min(1)
    .max(100_000)
    .default(16)
    .describe('Waiting tasks a pool and node hold before they refuse.'),
  DROVER_BODY_LIMIT_BYTES: z.coerce
    .number()
    .int()
    .min(1024)
    .default(1_048_576)
    .describe('Largest request body.'),
  DROVER_MAX_OUTPUT_TOKENS: z.coerce
    .number()
    .int()
    .min(1)
    .default(50_000)
    .describe('Largest `max_tokens` of a task.'),
  DROVER_SESSION_TTL_MS: z.coerce
    .number()
    .int()
    .min(1)
    .max(LONGEST_SESSION_MS)
    .default(LONGEST_SESSION_MS)
    .describe('How long after its last task a session is kept; 10 minutes at most.'),
  DROVER_SESSION_TURN_LIMIT: z.coerce
    .number()
    .int()
    .min(0)
    .max(1_000_000_000)
    .default(0)
    .describe(
      'Tasks that a session may have, 8 for instance; 0 any number. A task whose session bears its own id counts nowhere.',
    ),
  DROVER_SESSION_TOKENS_BUDGET: z.coerce
    .number()
    .int()
    .min(1)
    .max(Number.MAX_SAFE_INTEGER)
    .optional()
    .describe('Tokens that the tasks of a session may put out; without it any number.'),
  DROVER_SESSION_TIME_BUDGET_MS: ms(600_000).describe(
    'Time that engines may spend on the tasks of a session, from the first token of each to its last.',
  ),
  DROVER_SESSION_COST_BUDGET: z.coerce
    .number()
    .positive()
    .optional()
    .describe('What the tokens of a session may cost, at `DROVER_TOKEN_PRICE` each; without it any amount.'),
  DROVER_TOKEN_PRICE: z.coerce
    .number()
    .min(0)
    .default(0.000_002)
    .describe('What one token that a task puts out costs its session.'),
  DROVER_SSE_MICROBATCH: z
    .stringbool()
    .default(false)
    .describe(
      "Events of a task's stream that come within 20 ms of each other are written together: fewer packets, the same events.",
    ),
  DROVER_SSE_HEARTBEAT_MS: ms(10_000, 0).describe(
    'Silence after which a stream sends a comment line; 0 never.',
  ),
  DROVER_METRICS_FRAME_MS: ms(1_000).describe('Pause between `metrics` frames of a stream.'),
  DROVER_OFFER_TTL_MS: ms(10_000).describe('How long a node holds an offer that nobody confirms.'),
  DROVER_TOMBSTONE_MS: ms(600_000).describe('How long a node remembers that an offer was withdrawn.'),
  DROVER_START_TIMEOUT_MS: ms(1_500).describe('How long the API waits for Temporal to record a task.'),
  DROVER_RUN_RETENTION_MS: ms(86_400_000).describe('How long a node keeps the run log of an ended task.'),
  DROVER_DISCONNECT_GRACE_MS: ms(5_000, 0).describe(
    'How long the last reader may be away before a task that asked for it is cancelled.',
  ),
  DROVER_ENGINE_FIRST_BYTE_MS: ms(30_000).describe(
    'Longest wait for the first token of an engine that has taken a task.',
  ),
  DROVER_RUN_LIMIT_MS: z.coerce
    .number()
    .int()
    .min(1)
    .max(LONGEST_RUN_MS)
    .default(300_000)
    .describe('Longest execution of a task for which neither its request nor its pool says another.'),
  DROVER_ENGINE_IDLE_MS: ms(60_000).describe('Longest silence of an engine between two tokens.'),
  DROVER_NODE_STOP_GRACE_MS: ms(5_000).describe(
    'Time between SIGTERM and SIGKILL when an engine is stopped.',
  ),
  DROVER_NODE_POOLS: pools
    .default([])
    .describe(
      'Pools that belong to this node, comma-separated: shown before they are loaded, and preloads of them come here.',
    ),
  DROVER_NODE_PARALLEL_PRELOADS: z.coerce
    .number()
    .int()
    .min(1)
    .max(1024)
    .default(4)
    .describe('Pools that load at once on this node; a preload beyond is told to come again.'),
  DROVER_NODE_MAX_LOADED_POOLS: z.coerce
    .number()
    .int()
    .min(1)
    .max(1024)
    .optional()
    .describe(
      'Pools that may be loaded on this node when one on demand wakes, itself counted: beyond that the idle one used least recently goes to sleep. Without it as many as memory holds.',
    ),
  DROVER_NODE_ENGINE_KEYS: engineKeys
    .default([])
    .describe(
      'What engines that ask for a key know this node by: `<host>:<port>=<key>`, comma-separated; each is told its own alone.',
    ),
  DROVER_NODE_ENGINE_KEYS_FILE: secretFile('DROVER_NODE_ENGINE_KEYS'),
  DROVER_NODE_RAM_FACTOR: z.coerce
    .number()
    .min(1)
    .max(10)
    .default(1.5)
    .describe('Memory that a model needs at least where the CPU runs it, as a multiple of its size.'),
  DROVER_NODE_ENGINE_PORTS: portRange
    .default({ first: 8_001, last: 65_535 })
    .describe(
      'Ports that engines are given when theirs is taken, as `<first>-<last>`; one whose launch says `port_fixed` is not moved. Without it 8001-65535.',
    ),
  DROVER_NODE_GPU_MAX_CELSIUS: z.coerce
    .number()
    .int()
    .min(1)
    .max(150)
    .default(80)
    .describe('Temperature of a GPU above which no engine is started on it, in degrees Celsius.'),
  DROVER_NODE_BACKENDS: backends
    .default([...BACKENDS])
    .describe(
      'Backends that pools of this node may use, comma-separated; a preload with another is refused.',
    ),
  DROVER_NODE_ENGINE_USER: z
    .string()
    .regex(/^[1-9]\d{0,9}(:[1-9]\d{0,9})?$/, 'must be <uid> or <uid>:<gid>, in digits, neither of them 0')
    .optional()
    .transform((given) => {
      if (given === undefined) return undefined;
      const [uid = 0, gid = uid] = given.split(':').map(Number);
      return { uid, gid };
    })
    .describe(
      'User and group, in digits, that engines run as when the node worker is root; they must be able to read binary and model.',
    ),
  DROVER_NODE_ROOT_ENGINES: z
    .enum(['warn', 'refuse'])
    .default('warn')
    .describe(
      'What a node worker that is root does without `DROVER_NODE_ENGINE_USER`: `warn` that engines are root too, or `refuse` to start.',
    ),
  DROVER_NODE_ENGINE_CACHE_DIR: z
    .string()
    .min(1)
    .default('~/.cache/engines')
    .transform((p) => resolve(p.replace(/^~(?=\/|$)/, homedir())))
    .describe(
      'Folder of the engines that nodes build or download, one folder a node in it; `DROVER_NODE_ENGINE_USER` must be able to read it.',
    ),
  DROVER_NODE_PACKAGE_INSTALL: z
    .stringbool()
    .default(false)
    .describe(
      'Whether a node may install packages with `apt-get`: the tools that an engine is built with, and engines that are packages. It takes root.',
    ),
  DROVER_NODE_GPU_DISCOVERY_INTERVAL_MS: ms(10_000, 100).describe(
    'How often a node asks the driver for its GPUs and their memory.',
  ),
  DROVER_NODE_DISK_RESERVE_BYTES: z.coerce
    .number()
    .int()
    .min(0)
    .default(64 * 1_048_576)
    .describe(
      'Free space on the disk of the run logs below which a node takes no new task; running ones may use it.',
    ),
  DROVER_NODE_HEALTH_INTERVAL_MS: ms(5_000, 50).describe(
    'How often a node asks an engine that serves for its health; one that misses three in a row is ended and started again.',
  ),
  DROVER_SUPERVISION: restartPolicy.describe(
    'How engines are started again after crashes, as JSON: what is left out is as `docs/operations.md` lists it; a preload may say otherwise for its pool.',
  ),
  DROVER_NODE_ENGINE_LOG_BYTES: z.coerce
    .number()
    .int()
    .min(1024)
    .default(64 * 1_048_576)
    .describe("Size at which an engine's log is cut; what it held is kept once, as `.log.1`."),
  DROVER_RUNTIME_DIR: z
    .string()
    .min(1)
    .optional()
    .transform((p) => (p === undefined ? undefined : resolve(p)))
    .describe(
      'Folder of the handoff files, where engines announce themselves; without it `engines` in the state folder.',
    ),
  DROVER_LLAMACPP_URL: z
    .url({ protocol: /^https?$/, error: 'must be http://<host>:<port>' })
    .optional()
    .describe('A llama-server that runs already: the node worker binds it at its start.'),
  DROVER_LLAMACPP_POOL: z
    .string()
    .regex(POOL_ID_PATTERN)
    .default('default')
    .describe('Pool of the llama-server of `DROVER_LLAMACPP_URL`.'),
  DROVER_LLAMACPP_REPLICA: z.string().regex(POOL_ID_PATTERN).default('r0').describe('Its replica.'),
  DROVER_HANDOFF_WATCH_INTERVAL_MS: z.coerce
    .number()
    .int()
    .min(100)
    .max(10_000)
    .default(1_000)
    .describe('How often a node looks for handoff files of engines that others started.'),
  DROVER_NODE_HANDOFF_NETWORKS: networks
    .default([])
    .describe(
      'Networks beside this machine whose engines a handoff file may announce: `<address>/<bits>`, comma-separated.',
    ),
  DROVER_NODE_AUTO_DELETE_HANDOFF: z
    .stringbool()
    .default(false)
    .describe('Remove the handoff file of an engine that others started once the engine is bound.'),
  DROVER_MODEL_CACHE_DIR: z
    .string()
    .min(1)
    .default('~/.cache/models')
    .transform((p) => resolve(p.replace(/^~(?=\/|$)/, homedir())))
    .describe(
      "Folder of the catalogue's models, one file or folder each, which nodes fetch them to; nothing outside it is ever touched.",
    ),
  DROVER_MODEL_SOURCES: modelSources
    .optional()
    .describe(
      'Where a node may fetch models from, comma-separated: `hf`, `hf:org`, `hf:org/repo`, `s3`, `s3://bucket` or the name of a host; `off` alone means from nowhere. A server that is allowed may redirect elsewhere. Without it from everywhere.',
    ),
  DROVER_MODEL_STALL_MS: ms(60_000, 10).describe(
    'Silence of a server that a model is fetched from after which the attempt has failed.',
  ),
  DROVER_MODEL_BYTES_PER_SECOND: z.coerce
    .number()
    .int()
    .min(1)
    .optional()
    .describe(
      'Most bytes a second that one file of a model is fetched with; without it as fast as they come.',
    ),
  DROVER_MODEL_PARALLEL_DOWNLOADS: z.coerce
    .number()
    .int()
    .min(1)
    .max(64)
    .default(3)
    .describe('Files of models that a node fetches at once; more wait their turn.'),
  HF_ENDPOINT: z
    .url({ protocol: /^https?$/, error: 'must be https://<host>' })
    .default('https://huggingface.co')
    .transform((url) => url.replace(/\/+$/, ''))
    .describe('Where `hf:` models are fetched from: Hugging Face, or a mirror of it.'),
  HF_TOKEN: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Token that the node worker fetches `hf:` models with; those behind terms or a login need one.',
    ),
  HF_TOKEN_FILE: secretFile('HF_TOKEN'),
  DROVER_TRUST_POLICY: z
    .enum(['strict', 'permissive'])
    .default('permissive')
    .describe(
      'What the catalogue does with a model that has no digest or no verified signature: refuse it, or warn.',
    ),
  DROVER_ARTIFACT_DIR: z
    .string()
    .regex(
      /^(?!s3:)|^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/[^\s?#]+)?$/,
      'must be s3://<bucket>[/<prefix>]',
    )
    .min(1)
    .optional()
    .transform((p) => (p === undefined || p.startsWith('s3:') ? p : resolve(p)))
    .describe(
      "Folder for artifacts, one file each, shared by all APIs and control workers, or `s3://<bucket>[/<prefix>]`, whose credentials come by AWS's own ways; without it they stand in the database.",
    ),
  AWS_ENDPOINT_URL_S3: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe("Server that speaks S3's protocol; without it AWS's own."),
  AWS_REGION: z.string().min(1).optional().describe('Region of the bucket.'),
  DROVER_ARTIFACT_RETENTION_MS: ms(86_400_000 * 7).describe(
    'Age at which an artifact is forgotten, transcripts included; it counts from when it was last stored.',
  ),
  DROVER_ARTIFACT_LIMIT_BYTES: z.coerce
    .number()
    .int()
    .min(1)
    .default(4 * 1_073_741_824)
    .describe('Bytes of all artifacts together; beyond them the oldest are forgotten.'),
  DROVER_ARTIFACT_SWEEP_INTERVAL_MS: ms(60_000, 100).describe(
    'How often a control worker looks for artifacts to forget.',
  ),
  DROVER_SSH_KNOWN_HOSTS: path.describe(
    'File of the host keys by which control workers know the nodes of the registry; without it those of their user and machine.',
  ),
  DROVER_CODEC_SECRET: z
    .string()
    .min(16)
    .optional()
    .describe("Unguessable part of the codec endpoint's path; without it the endpoint is off."),
  DROVER_CODEC_SECRET_FILE: secretFile('DROVER_CODEC_SECRET'),
  DROVER_UI_ORIGIN: z
    .string()
    .optional()
    .describe("Origin of Temporal's web UI, the only one that may call the codec endpoint from a page."),
  DROVER_EXIT_WITH_PARENT: z
    .stringbool()
    .default(false)
    .describe('End when the standard input closes: set by `npm start` for its own processes.'),
  DROVER_METRICS_LATENCY_SAMPLE: z.coerce
    .number()
    .int()
    .min(1)
    .max(10_000)
    .default(1)
    .describe('The latency histograms of a node observe every so-many-th task of a series; 1 observes each.'),
  DROVER_LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .describe('Least level that is logged.'),
});

/** Settings of a process, checked. */
export type Settings = z.infer<typeof settingsSchema>;

/** A setting that cannot be used; the message has one line a setting. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

/**
 * Checks the settings of `env`. Empty values count as unset, as shells write them.
 * @throws SettingsError naming every wrong setting and what it should be; values are not repeated (they may be keys).
 */
export function readSettings(env: Record<string, string | undefined>): Settings {
  const given = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = settingsSchema.safeParse(given);
  if (parsed.success) return withOneNodeToken(parsed.data);
  const lines = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new SettingsError(lines.join('\n'));
}

/** Names of the token between API and nodes; the second and third are those of others that Drover takes the place of. */
const NODE_TOKEN_NAMES = ['DROVER_NODE_TOKEN', 'AUTH_TOKEN', 'LLORCH_API_TOKEN'] as const;

/** @throws SettingsError when the token is set under two names that differ (C-111) */
function withOneNodeToken(settings: Settings): Settings {
  const set = NODE_TOKEN_NAMES.filter((name) => settings[name] !== undefined);
  const [first, ...others] = set;
  if (first === undefined) return settings;
  const other = others.find((name) => settings[name] !== settings[first]);
  if (other !== undefined) {
    throw new SettingsError(`${first} and ${other} are two names of one token, and differ: which one holds?`);
  }
  return { ...settings, DROVER_NODE_TOKEN: settings[first] };
}
