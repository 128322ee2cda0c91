/** What to do about an error, by its code: the last line that a person reads. */

const GOES_ON =
  'what was watched goes on: "drover pools events POOL" shows it, or "drover nodes install NAME" once more';

const BUSY =
  'all are busy: "drover ps" shows what runs and waits; try again later, or give the pool more slots';

const STEPS: Readonly<Record<string, string>> = {
  HTTP_CONNECTION_FAILED: 'start Drover with "drover up", or name its address with --url or DROVER_URL',
  HTTP_TIMEOUT: 'look with "drover doctor"; --timeout waits longer',
  HTTP_REQUEST_FAILED: 'is this the address of Drover\'s API? "drover doctor" looks',
  HTTP_READ_ERROR: 'try again; "drover doctor" looks whether the API is well',
  JSON_PARSE_ERROR: 'is this the address of Drover\'s API? "drover doctor" looks',
  HEALTH_CHECK_ERROR: 'start Drover with "drover up", or name its address with --url or DROVER_URL',
  CIRCUIT_BREAKER_OPEN: 'look with "drover doctor", and try again in a minute',
  TOKEN_STREAM_FAILED: '"drover tasks get ID" says how the task stands',
  TOKEN_STREAM_ERROR: 'the task goes on: "drover tasks attach ID" shows it from its start',
  TOKEN_STREAM_TIMEOUT:
    '"drover ps" says whether the engine is busy; --first-event-timeout and --idle-timeout wait longer',
  PROGRESS_STREAM_FAILED: GOES_ON,
  PROGRESS_STREAM_ERROR: GOES_ON,
  PROGRESS_STREAM_TIMEOUT: GOES_ON,
  SSE_CONNECTION_FAILED: '"drover pools list" says which pools there are',
  SSE_CONNECTION_ERROR: 'try again; "drover doctor" looks whether the API is well',
  SSE_CONNECTION_TIMEOUT: 'look with "drover doctor"; --connect-timeout waits longer',
  NO_TOKENS_GENERATED: "try another prompt; the engine's log may say more",
  TOKEN_COUNT_MISMATCH: 'the text above may lack something: "drover tasks attach ID" shows it again',
  NO_WORKERS: 'start an engine: "drover up", or "drover pools preload FILE"',
  NO_WORKERS_FOR_SSE: 'start an engine: "drover up", or "drover pools preload FILE"',
  NOT_LOADING: '"drover workers list" says how the engines stand',
  MISSING_TOKEN: 'name a key with DROVER_API_KEY, --key, or in the configuration file',
  BAD_TOKEN: 'the key is not known there: look at DROVER_API_KEY, --key and the configuration file',
  BAD_API_KEY: 'the key is not known there: look at DROVER_API_KEY, --key and the configuration file',
  FORBIDDEN_ROLE: 'take the key of an operator',
  MODEL_NOT_FOUND: '"drover ls" says which models there are',
  POOL_NOT_FOUND: '"drover pools list" says which pools there are',
  POOL_UNREADY: '"drover ps" says how the pools stand',
  POOL_UNAVAILABLE: '"drover ps" says how the pools stand',
  POOL_CONFLICT: '"drover pools events POOL" says what is done to it now',
  NODE_NOT_FOUND_IN_REGISTRY:
    'add it: "drover nodes add NAME --ssh-host … --ssh-user … --ssh-key … --git-repo … --install-path …"; "drover nodes list" says which there are',
  DUPLICATE_NODE: 'change it with "drover nodes update NAME", or remove it first: "drover nodes remove NAME"',
  NODE_NOT_REGISTERED: '"drover health" says which nodes there are',
  NODE_IN_USE: '"drover nodes remove NAME --force" drains its pools first',
  NODE_INSTALL_FAILED:
    'see to it on the node, then "drover nodes install NAME" again: every step may be repeated',
  VERSION_MISMATCH: 'name a branch of the same version: "drover nodes update NAME --git-branch …"',
  SSH_KEY_NOT_FOUND:
    'name the file with --ssh-key; --key-elsewhere where it is on the machine of the control worker',
  CONNECTION_TIMEOUT: 'see that the node worker runs there; "drover nodes install NAME" starts it',
  SSH_TIMEOUT: 'is the machine up? "drover nodes check NAME" tries again',
  SSH_CONNECTION_FAILED: 'see to it on the machine of the control worker, then "drover nodes check NAME"',
  MODEL_IN_USE: 'drain the pools that serve it first: "drover stop POOL"',
  TEMPORAL_UNAVAILABLE: 'look with "drover doctor"',
  STORE_UNAVAILABLE: 'look with "drover doctor"',
  ADMISSION_REJECT: BUSY,
  QUEUE_FULL_DROP_LRU: BUSY,
  REPLICA_EXHAUSTED: BUSY,
  RATE_LIMITED: 'try again in a moment',
};

/** The next step; undefined where the message says it all. */
export function nextStep(code: string): string | undefined {
  return STEPS[code];
}
