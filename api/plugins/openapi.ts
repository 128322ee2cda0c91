/** The API's description, made from the routes' schemas; `docs/openapi.json` is this, written down. */
import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { tidyDocument } from './openapi-document.js';

/** Version of the API, not of the program (B-CP-006). */
export const API_VERSION = '2.0.0';

const DESCRIPTION = `Durable inference on engines of your own. Every answer has \`X-Correlation-Id\`; a refusal has the body \`Error\`,
429 and 503 also \`Retry-After\`, 429 also \`X-Backoff-Ms\`. A key is sent as \`X-API-Key\` or as bearer token.
Keys have roles: what changes pools, the catalogue or keys is for operators, all else for clients too.`;

/** What the `data` of an event stream's frames holds: no JSON body refers to them. */
const FRAMES = ['StartedFrame', 'TokenFrame', 'MetricsFrame', 'EndFrame'];

/** A last parameter that may hold slashes; a description knows only named ones. */
const WILDCARD = /\/\*$/;

function namedParams(schema: { params?: unknown }): object {
  const { params } = schema as { params?: { properties?: Record<string, unknown> } };
  if (params?.properties?.['*'] === undefined) return {};
  const { '*': id, ...others } = params.properties;
  return { params: { ...params, properties: { ...others, id }, required: [...Object.keys(others), 'id'] } };
}

/** Collects the routes that are registered after it. */
export const openapi = fp(
  async (app: FastifyInstance) => {
    await app.register(swagger, {
      openapi: {
        openapi: '3.1.0',
        info: {
          title: 'Drover',
          version: API_VERSION,
          description: DESCRIPTION,
          license: { name: 'Apache-2.0' },
        },
        tags: [
          { name: 'tasks', description: 'Inference tasks and their streams' },
          { name: 'sessions', description: "What a client's tasks have in common" },
          { name: 'openai', description: "The same tasks in the words of OpenAI's clients" },
          { name: 'pools', description: 'Pools of engines' },
          { name: 'catalog', description: 'Models, their digests and their life' },
          { name: 'artifacts', description: 'JSON documents by their digest, transcripts among them' },
          { name: 'workers', description: 'Engines that others run' },
          { name: 'nodes', description: 'Node workers that report' },
          { name: 'keys', description: 'Who may call, and as what' },
          { name: 'operations', description: 'Health and metrics of the process' },
        ],
        components: {
          securitySchemes: {
            apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
            bearer: { type: 'http', scheme: 'bearer' },
            nodeToken: { type: 'http', scheme: 'bearer', description: 'the token of the nodes' },
          },
        },
        security: [{ apiKey: [] }, { bearer: [] }],
      },
      transform: (route) => {
        const { schema, url } = jsonSchemaTransform(route);
        const keyless = route.route.config?.keyless === true ? { security: schema.security ?? [] } : {};
        return {
          url: url.replace(WILDCARD, '/:id'),
          schema: { ...schema, ...namedParams(schema), ...keyless },
        };
      },
      transformObject: (made) => tidyDocument(jsonSchemaTransformObject(made), FRAMES),
    });
  },
  { name: 'openapi', fastify: '5.x' },
);
