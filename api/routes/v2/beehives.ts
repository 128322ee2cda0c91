/** The registry of nodes: add, list, look up, change, check, remove (nodes-and-workers 1). For operators. */
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  nodeAdded,
  nodeChanged,
  nodeChanges,
  nodeList,
  nodeName,
  nodeRemoval,
  nodeRequest,
  registeredNode,
} from '../../../contracts/registered-node.js';
import type { NodeRegistry } from '../../registry/node-registry.js';
import { nodeValidator } from '../../registry/node-validator.js';
import { contextOf } from '../../request-context.js';
import { refusals } from '../refusals.js';

const BASE = '/v2/registry/beehives';
const params = z.object({ id: nodeName });

/** `POST …/add`, `GET …/list`, `POST …/remove`, `GET, PATCH …/:id`, `POST …/:id/check`. */
export const beehiveRoutes: FastifyPluginCallbackZod<{ nodeRegistry: NodeRegistry }> = (
  app,
  { nodeRegistry },
  done,
) => {
  app.post(
    `${BASE}/add`,
    {
      config: { audit: 'node_added' },
      schema: {
        operationId: 'addNode',
        summary: 'Add a node to the registry',
        description:
          'A control worker reaches it by SSH first, up to three times within 31 s; a node that is not reached is not stored. ' +
          'Its host key must be known there, and the key be a file there: only the path is kept.',
        tags: ['registry'],
        body: nodeRequest,
        response: { 200: nodeAdded, ...refusals(400, 409, 413, 415, 502, 503) },
      },
      validatorCompiler: nodeValidator,
    },
    (request) => {
      request.auditDetails = { node_name: request.body.node_name };
      return nodeRegistry.add(request.body, contextOf(request));
    },
  );

  app.get(
    `${BASE}/list`,
    {
      schema: {
        operationId: 'listNodes',
        summary: 'All registered nodes, by name',
        tags: ['registry'],
        response: { 200: nodeList, ...refusals(503) },
      },
    },
    async () => ({ nodes: await nodeRegistry.list() }),
  );

  app.post(
    `${BASE}/remove`,
    {
      config: { audit: 'node_removed' },
      schema: {
        operationId: 'removeNode',
        summary: 'Remove a node from the registry',
        description: 'A node that has pools is refused, unless `force` drains them first.',
        tags: ['registry'],
        body: nodeRemoval,
        response: { 200: nodeChanged, ...refusals(400, 404, 409, 413, 415, 503) },
      },
    },
    async (request) => {
      const { node_name, force } = request.body;
      request.auditDetails = { node_name, force: Number(force) };
      await nodeRegistry.remove(request.body, contextOf(request));
      return { success: true as const, message: `node ${node_name} is no longer registered` };
    },
  );

  app.get(
    `${BASE}/:id`,
    {
      schema: {
        operationId: 'readNode',
        summary: 'A registered node, and how SSH reaches it',
        description: 'Of its key the path; the key itself is nowhere.',
        tags: ['registry'],
        params,
        response: { 200: registeredNode, ...refusals(400, 404, 503) },
      },
    },
    (request) => nodeRegistry.get(request.params.id),
  );

  app.patch(
    `${BASE}/:id`,
    {
      config: { audit: 'node_changed' },
      schema: {
        operationId: 'changeNode',
        summary: 'Change fields of a registered node',
        description: 'A node that is reached otherwise from now on is `unknown` until it is checked.',
        tags: ['registry'],
        params,
        body: nodeChanges,
        response: { 200: registeredNode, ...refusals(400, 404, 413, 415, 503) },
      },
      validatorCompiler: nodeValidator,
    },
    (request) => nodeRegistry.update(request.params.id, request.body),
  );

  app.post(
    `${BASE}/:id/check`,
    {
      config: { audit: 'node_checked' },
      schema: {
        operationId: 'checkNode',
        summary: 'Reach a registered node by SSH',
        description: 'What comes of it is noted: `reachable` with the time, or `offline`.',
        tags: ['registry'],
        params,
        response: { 200: nodeAdded, ...refusals(400, 404, 502, 503) },
      },
    },
    (request) => nodeRegistry.check(request.params.id, contextOf(request)),
  );
  done();
};
