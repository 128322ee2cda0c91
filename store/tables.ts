/** The tables as queries see them; `migrations/` makes them. Times are milliseconds, JSON stands in text. */

/** A document by the digest of what it says. */
export interface ArtifactTable {
  id: string;
  kind: string;
  /** JSON: strings. */
  tags: string;
  size_bytes: number;
  created_ms: number;
  /** When it was last stored: its age counts from here. */
  stored_ms: number;
  /** The sealed document; null where it stands in a file. */
  content: Buffer | null;
}

/** Which artifact is a task's transcript. */
export interface TranscriptTable {
  task_id: string;
  artifact_id: string;
}

/** A model of the catalogue; lists and objects are JSON. */
export interface ModelTable {
  id: string;
  lifecycle: string;
  digest: string | null;
  source_url: string | null;
  tags: string;
  manifests: string;
  signatures: string;
  sbom: string | null;
  trust_policy: string | null;
  last_verified_ms: number | null;
  verification: string | null;
  created_ms: number;
}

/** An API key: never the key itself. */
export interface ApiKeyTable {
  id: string;
  name: string;
  role: string;
  /** SHA-256 of the key, hex. */
  digest: string;
  rate_limit_per_minute: number | null;
  created_ms: number;
  last_used_ms: number | null;
  /** Null while the key holds. */
  revoked_ms: number | null;
}

/** What a client's tasks have in common. */
export interface SessionTable {
  id: string;
  /** Each use puts it off. */
  expires_ms: number;
  turns: number;
  /** 1 once a task of it has put out a token. */
  warm: number;
  tokens_used: number;
  time_used_ms: number;
  cost_used: number;
}

/** A task that took a turn: it takes no second one, and is charged once. */
export interface SessionTaskTable {
  task_id: string;
  session_id: string;
  /** That it may put out; they count until it has ended. */
  tokens_reserved: number;
  /** 1 once it has been charged. */
  settled: number;
}

/** A node of the registry, and how SSH reaches it; lists and objects are JSON. */
export interface NodeTable {
  node_name: string;
  ssh_host: string;
  ssh_port: number;
  ssh_user: string;
  /** Of the private key: never the key itself. */
  ssh_key_path: string;
  git_repo_url: string;
  git_branch: string;
  install_path: string;
  /** Seconds; null until the first contact. */
  last_connected_unix: number | null;
  status: string;
  backends: string;
  devices: string;
}

/** A node worker that has registered; lists and objects are JSON. */
export interface NodeWorkerTable {
  node_id: string;
  machine_id: string;
  address: string;
  version: string;
  capabilities: string;
  /** As its last heartbeat told. */
  pools: string;
  state: string;
  /** Why it has failed; null otherwise. */
  reason: string | null;
  registered_ms: number;
  last_heartbeat_ms: number | null;
  /** Since when an operator wants no more work for it; null otherwise. */
  draining_since_ms: number | null;
}

/** All tables. */
export interface Tables {
  artifacts: ArtifactTable;
  transcripts: TranscriptTable;
  models: ModelTable;
  api_keys: ApiKeyTable;
  sessions: SessionTable;
  session_tasks: SessionTaskTable;
  nodes: NodeTable;
  node_workers: NodeWorkerTable;
}
