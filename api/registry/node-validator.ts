/** Bodies of the registry's routes: a wrong user or host has a code of its own (nodes-and-workers 11.3). */
import type { FastifySchemaCompiler } from 'fastify';
import type { z } from 'zod';
import { DroverError, type ErrorCode } from '../../contracts/errors.js';
import { nodeName } from '../../contracts/registered-node.js';
import { invalidParams } from '../plugins/invalid-params.js';

const CODES: Readonly<Record<string, ErrorCode>> = {
  ssh_user: 'INVALID_SSH_USER',
  ssh_host: 'INVALID_SSH_HOST',
};

/** Validates what was sent; nothing of it is repeated but a node's name that is one. */
export const nodeValidator: FastifySchemaCompiler<unknown> =
  ({ schema }) =>
  (sent: unknown) => {
    const parsed = (schema as z.ZodType).safeParse(sent); // All schemas of routes are.
    if (parsed.success) return { value: parsed.data };
    const { issues } = parsed.error;
    const general = invalidParams(issues);
    const fields = new Set(issues.map(({ path: [field] }) => String(field)));
    const [code] = fields.size === 1 ? [...fields].map((field) => CODES[field]) : [];
    if (code === undefined) return { error: general };
    return { error: new DroverError(code, general.message, { details: namedIn(sent) }) };
  };

function namedIn(sent: unknown): { node_name?: string } {
  const { node_name } = Object(sent) as { node_name?: unknown };
  const name = nodeName.safeParse(node_name);
  return name.success ? { node_name: name.data } : {};
}
