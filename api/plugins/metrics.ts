/** `GET /metrics`: the contract's metrics of this process; reading them changes none (B-OBS-008). */
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import type { Registry } from 'prom-client';
import { z } from 'zod';

/** The registry that is shown. */
export interface MetricsOptions {
  registry: Registry;
}

/** Serves the registry, without a key (B-OBS-009). */
export const metricsPage = fp<MetricsOptions>(
  (app: FastifyInstance, { registry }, done) => {
    app.get(
      '/metrics',
      {
        config: { keyless: true },
        schema: {
          operationId: 'readMetrics',
          summary: 'Prometheus metrics of this process',
          tags: ['operations'],
          response: {
            200: {
              description: 'Prometheus text, version 0.0.4',
              content: { 'text/plain': { schema: z.string() } },
            },
          },
        },
      },
      async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()),
    );
    done();
  },
  { name: 'metrics-page', fastify: '5.x', dependencies: ['auth'] },
);
