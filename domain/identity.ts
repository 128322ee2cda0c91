/**
 * The only place that builds workflow ids, task-queue names and file names (style: an operator searches by them).
 * All inputs have passed {@link isTaskId} or {@link isPoolId}, so nothing here can leave its folder.
 */

/** Task and session ids: letters, digits, `.`, `_`, `:`, `-`, 1 to 128 characters (B-DP-045). */
export const TASK_ID_PATTERN = /^[A-Za-z0-9._:-]{1,128}$/;

/** Pool, replica and node ids: letters, digits, `.`, `_`, `-`, 1 to 128 characters (B-POOL-010). */
export const POOL_ID_PATTERN = /^[A-Za-z0-9._-]{1,128}$/;

/** Task queue of `inferTask`, polled by every API process so that workflows start eagerly. */
export const TASKS_QUEUE = 'tasks';

/** Task queue of pool workflows, polled by the control workers. */
export const CONTROL_QUEUE = 'control';

/** Replica that keeps the inherited file names `<pool>.pid` and `engine-<pool>.log` (C-188). */
export const FIRST_REPLICA = 'r0';

/** The engine that a reload starts beside a replica's, until the switch (design §3). */
export function replicaBeside(replicaId: string): string {
  return `${replicaId}.next`;
}

/** A replica's engine from before the switch, until its last stream has ended. */
export function replicaBefore(replicaId: string): string {
  return `${replicaId}.old`;
}

/** True for the second engine of a replica, which a reload has beside its own. */
export function isAside(replicaId: string): boolean {
  return replicaId.endsWith('.next') || replicaId.endsWith('.old');
}

/** True when `id` may name a task or a session. */
export function isTaskId(id: string): boolean {
  return TASK_ID_PATTERN.test(id);
}

/** True when `id` may name a pool, a replica or a node; `.` and `..` are folders, not ids. */
export function isPoolId(id: string): boolean {
  return POOL_ID_PATTERN.test(id) && id !== '.' && id !== '..';
}

/** Workflow id of one inference task. */
export function taskWorkflowId(taskId: string): string {
  return `task:${taskId}`;
}

/** What is done to a pool as a durable workflow. */
export const OPERATION_KINDS = ['preload', 'drain', 'reload', 'purge'] as const;

/** One of them. */
export type OperationKind = (typeof OPERATION_KINDS)[number];

/** Workflow id of an operation on a pool; two equal requests meet in one run (B-PDUR-001). */
export function poolWorkflowId(poolId: string, kind: OperationKind | 'supervise'): string {
  return `pool:${poolId}:${kind}`;
}

/** The pool and the kind that an operation's id names; undefined where it is no such id. */
export function readPoolWorkflowId(id: string): { poolId: string; kind: OperationKind } | undefined {
  const [prefix, poolId = '', verb, ...more] = id.split(':');
  const kind = OPERATION_KINDS.find((known) => known === verb);
  if (prefix !== 'pool' || !isPoolId(poolId) || kind === undefined || more.length > 0) return undefined;
  return { poolId, kind };
}

/** Id of an engine among those of all nodes; no part of it can hold a colon. */
export function workerIdOf(nodeId: string, poolId: string, replicaId: string): string {
  return `${nodeId}:${poolId}:${replicaId}`;
}

/** What is done to a node of the registry as a durable workflow. */
export type NodeVerb = 'add' | 'check' | 'install';

/** Workflow id of what is done to a node of the registry; one run a node and verb. */
export function nodeWorkflowId(nodeName: string, verb: NodeVerb): string {
  return `node:${nodeName}:${verb}`;
}

/** The node that an installation's id names; undefined where it is no such id. */
export function readInstallWorkflowId(id: string): string | undefined {
  return /^node:([A-Za-z0-9.-]{1,253}):install$/.exec(id)?.[1];
}

/** Workflow id of a download: two who want a model on a node meet in one run (B-MODEL-010). */
export function downloadWorkflowId(nodeId: string, modelId: string): string {
  return `model:${nodeId}:${modelId}`;
}

/** The node and the model that a download's id names; undefined where it is no such id. */
export function readDownloadWorkflowId(id: string): { nodeId: string; modelId: string } | undefined {
  const [, nodeId, modelId] = /^model:([^:]+):([A-Za-z0-9][A-Za-z0-9._:@-]{0,127})$/.exec(id) ?? [];
  if (nodeId === undefined || modelId === undefined || !isPoolId(nodeId)) return undefined;
  return { nodeId, modelId };
}

/** Task queue of a node's downloads: they wait for each other there, and for nothing else. */
export function nodeModelsQueue(nodeId: string): string {
  return `node:${nodeId}:models`;
}

/** Task queue of a node's operations: preflight, spawn, health, stop. */
export function nodeQueue(nodeId: string): string {
  return `node:${nodeId}`;
}

/** Task queue of a node's long runs: its slots are its own, so a full node still answers operations. */
export function nodeRunsQueue(nodeId: string): string {
  return `node:${nodeId}:runs`;
}

function replicaStem(poolId: string, replicaId: string): string {
  return replicaId === FIRST_REPLICA ? poolId : `${poolId}-${replicaId}`;
}

/** PID file of a replica's engine: a bare decimal (B-PROC-022). */
export function pidFileName(poolId: string, replicaId: string): string {
  return `${replicaStem(poolId, replicaId)}.pid`;
}

/** Log file of a replica's engine, stdout and stderr together (B-PROC-005). */
export function engineLogFileName(poolId: string, replicaId: string): string {
  return `engine-${replicaStem(poolId, replicaId)}.log`;
}

/** Record of what was spawned, written at spawn, before the handoff exists (design §3). */
export function spawnRecordFileName(poolId: string, replicaId: string): string {
  return `${replicaStem(poolId, replicaId)}.spawn.json`;
}

/** Says that a pool is draining, for a node worker that starts in the middle of it (B-DRAIN-012). */
export function drainMarkFileName(poolId: string): string {
  return `${poolId}.draining.json`;
}

/** Handoff file, always with pool and replica, so that no pool overwrites another's (B-PRELOAD-046). */
export function handoffFileName(poolId: string, replicaId: string): string {
  return `${poolId}-${replicaId}.json`;
}

/** Run log of a task; the prefix keeps ids such as `..` harmless. */
export function runLogFileName(taskId: string): string {
  return `run-${taskId}.log`;
}

/** Task id of a run log's file name, or undefined where the file is something else. */
export function taskIdOfRunLog(fileName: string): string | undefined {
  const taskId = /^run-(.+)\.log$/.exec(fileName)?.[1];
  return taskId !== undefined && isTaskId(taskId) ? taskId : undefined;
}

/** Header of Temporal's activities that carries a request's correlation id on from their workflow. */
export const CORRELATION_HEADER = 'correlation-id';
