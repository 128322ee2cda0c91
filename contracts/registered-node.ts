/** Nodes of the registry (nodes-and-workers 1): where they are, and how SSH reaches them. Of a key only its path. */
import { z } from 'zod';
import { NODE_NAME_PATTERN, NODE_STATUSES } from '../domain/registered-node.js';
import { LONGEST_WAIT_MS } from './pool.js';

/** Name of a node. */
export const nodeName = z
  .string()
  .regex(NODE_NAME_PATTERN, 'must be 1 to 253 letters, digits, "-" and ".", without punctuation at its ends');

/** A name or an address; never an option of a program that is given it. */
const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:]{2,39})$/;
const USER = /^[A-Za-z_][A-Za-z0-9._-]{0,63}$/;
/** From the root or from home, nothing that a shell or a program would expand, and no way up. */
const PATH = /^(?!.*\/\.\.?(?:\/|$))~?(?:\/[A-Za-z0-9._+@=,:-]+)+\/?$/;
const REPOSITORY =
  /^(?:https?:\/\/|ssh:\/\/(?:[A-Za-z0-9._-]+@)?|[A-Za-z0-9_][A-Za-z0-9._-]*@)[A-Za-z0-9][A-Za-z0-9.-]*(?::\d{1,5}\/|[/:])[A-Za-z0-9._~/-]+$/;
const BRANCH = /^(?!.*(?:\.\.|\/\/))[A-Za-z0-9_](?:[A-Za-z0-9._/-]{0,253}[A-Za-z0-9_-])?$/;

const path = z
  .string()
  .max(1024)
  .regex(PATH, 'must begin with "/" or "~/", without "..", blanks or characters that a shell reads');

/** Backends that a node may be registered with (B-VAL-014). */
const backend = z.enum(['cpu', 'cuda', 'metal']);
const deviceIndex = z.int().min(0).max(1023);

const fields = {
  ssh_host: z.string().regex(HOST, 'must be a host name or an address, and not begin with "-"'),
  ssh_port: z.int().min(1).max(65_535),
  ssh_user: z.string().regex(USER, 'must be a user name: letters, digits, ".", "_" and "-"'),
  ssh_key_path: path.meta({
    description: 'file of the private key on the control workers; only the path is kept',
  }),
  git_repo_url: z
    .string()
    .max(1024)
    .regex(REPOSITORY, 'must be https://…, ssh://… or <user>@<host>:<path>, without a password'),
  git_branch: z.string().regex(BRANCH, 'must be the name of a branch'),
  install_path: path.meta({ description: 'folder of Drover on the node' }),
  backends: z.array(backend).max(3),
  devices: z
    .partialRecord(backend, z.union([z.int().min(0).max(1024), z.array(deviceIndex).max(1024)]))
    .meta({ description: 'of each backend how many, or which' }),
};

/** Body of `POST /v2/registry/beehives/add`. */
export const nodeRequest = z
  .object({
    node_name: nodeName,
    ...fields,
    ssh_port: fields.ssh_port.default(22),
    git_branch: fields.git_branch.default('main'),
    backends: fields.backends.default([]),
    devices: fields.devices.default({}),
  })
  .meta({ id: 'NodeRequest' });

/** A node that is to be registered. */
export type NodeRequest = z.infer<typeof nodeRequest>;

/** Body of `PATCH /v2/registry/beehives/{id}`: the fields that change; a name that is none of theirs changes nothing unseen. */
export const nodeChanges = z.strictObject(fields).partial().meta({ id: 'NodeChanges' });

/** Changes of a node. */
export type NodeChanges = z.infer<typeof nodeChanges>;

/** A node of the registry, as it is kept. */
export const registeredNode = z
  .object({
    node_name: z.string(),
    ...fields,
    // As they are kept, whoever wrote them: {@link fields} judges what is asked.
    ssh_host: z.string(),
    ssh_user: z.string(),
    ssh_key_path: z.string(),
    git_repo_url: z.string(),
    git_branch: z.string(),
    install_path: z.string(),
    last_connected_unix: z.int().nullable().meta({ description: 'seconds; null until the first contact' }),
    status: z.enum(NODE_STATUSES),
  })
  .meta({ id: 'RegisteredNode' });

/** A node of the registry. */
export type RegisteredNode = z.infer<typeof registeredNode>;

/** Answer to `GET /v2/registry/beehives/list`. */
export const nodeList = z.object({ nodes: z.array(registeredNode) }).meta({ id: 'RegisteredNodes' });

/** Answer to a change of the registry. */
export const nodeChanged = z
  .object({ success: z.literal(true), message: z.string() })
  .meta({ id: 'NodeChanged' });

/** Answer to `POST /v2/registry/beehives/add`. */
export const nodeAdded = nodeChanged
  .extend({
    node_name: z.string(),
    round_trip_ms: z.number().meta({ description: 'of a line that the node sent back' }),
    advice: z
      .array(z.string())
      .meta({ description: 'what is to be seen to, such as an installation that is missing' }),
  })
  .meta({ id: 'NodeAdded' });

/** Answer to an addition, its type. */
export type NodeAdded = z.infer<typeof nodeAdded>;

/** What the workflows on a node of the registry are given. */
export interface NodeVisitInput {
  node: NodeRequest;
  correlation_id: string;
}

/** What they end with. */
export const nodeVisited = z.object({ round_trip_ms: z.number(), slow: z.boolean(), installed: z.boolean() });

/** End of a visit. */
export type NodeVisited = z.infer<typeof nodeVisited>;

/** Facts of a failed visit, as `details` of the refusal; where the node is stays with the log and the history (C-181). */
export const nodeFailure = z.object({
  node_name: z.string(),
  reason: z.string().optional(),
  attempts: z.int().optional(),
  exit_code: z.int().nullable().optional(),
});

/** Facts of a failed visit, and where it was to lead. */
export type NodeFailureDetails = z.infer<typeof nodeFailure> & { ssh_host?: string };

/** Body of `POST /v2/registry/beehives/remove`. */
export const nodeRemoval = z
  .object({
    node_name: nodeName,
    force: z
      .boolean()
      .default(false)
      .meta({ description: 'drain the pools that the node still has, then remove it' }),
    drain_deadline_ms: z
      .int()
      .min(0)
      .max(LONGEST_WAIT_MS)
      .default(60_000)
      .meta({ description: 'how long their running tasks have' }),
  })
  .meta({ id: 'NodeRemoval' });

/** A removal. */
export type NodeRemoval = z.infer<typeof nodeRemoval>;
