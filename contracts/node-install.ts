/** Installation of Drover on a registered node: what is asked for, how it stands, what it ends with (B-SSH-009). */
import { z } from 'zod';
import { operation, operationStep } from './operation.js';
import type { NodeRequest } from './registered-node.js';

/** Where the gateway of an installed node listens unless something else is said. */
const GATEWAY_PORT = 9_200;

/** Body of `POST /v2/registry/beehives/{id}/install`. */
export const installOrder = z
  .object({
    api_url: z
      .url({ protocol: /^https?$/ })
      .max(2_048)
      .regex(/^[^\s"'#\\]*$/, 'must be http://<host>:<port>')
      .optional()
      .meta({
        description: 'where the node reaches the API; without it `DROVER_API_URL` of the control worker',
      }),
    temporal_address: z
      .string()
      .regex(/^[A-Za-z0-9.:[\]-]{1,253}:\d{1,5}$/, 'must be <host>:<port>')
      .optional()
      .meta({ description: 'where it reaches Temporal; without it as the control worker does' }),
    port: z.int().min(1).max(65_535).default(GATEWAY_PORT).meta({ description: 'of its gateway' }),
  })
  .meta({ id: 'InstallOrder' });

/** An order's type. */
export type InstallOrder = z.infer<typeof installOrder>;

/** What the workflow `installNode` is given. */
export interface InstallNodeInput {
  node: NodeRequest;
  order: InstallOrder;
  correlation_id: string;
}

/** What it ends with. */
export const nodeInstalled = z
  .object({
    node_name: z.string(),
    commit: z.string(),
    version: z.string(),
    worker: z
      .enum(['started', 'kept'])
      .meta({ description: '`kept`: it ran already, from the same source with the same settings' }),
  })
  .meta({ id: 'NodeInstalled' });

/** A finished installation's type. */
export type NodeInstalled = z.infer<typeof nodeInstalled>;

/** Why an installation failed, as `details` of its error; where the node is stays with the log and the history (C-181). */
export const installFailure = z.object({
  node_name: z.string(),
  step: z.string().optional(),
  reason: z.string().optional(),
  attempts: z.int().optional(),
  exit_code: z.int().nullable().optional(),
  output_tail: z
    .string()
    .optional()
    .meta({ description: 'last lines of the step, without secrets and places' }),
});

/** Facts of a failed installation, and where the node is. */
export type InstallFailure = z.infer<typeof installFailure>;

/** An installation as `GET /v2/operations/{id}` tells of it. */
export const nodeOperation = operation
  .omit({ pool_id: true, kind: true, error: true, outcome: true })
  .extend({
    kind: z.literal('install'),
    node_name: z.string(),
    outcome: nodeInstalled.nullable(),
    error: z.object({ code: z.string(), message: z.string(), details: installFailure }).nullable(),
  })
  .meta({ id: 'NodeOperation' });

/** Node operation's type. */
export type NodeOperation = z.infer<typeof nodeOperation>;

/** Frames of `GET /v2/registry/beehives/{id}/events`. */
export const nodeEvents = {
  step: z
    .object({
      ...nodeOperation.pick({ operation_id: true, run_id: true, kind: true }).shape,
      ...operationStep.omit({ duration_ms: true }).shape,
    })
    .meta({ id: 'NodeStepEvent' }),
  end: nodeOperation,
} as const;
