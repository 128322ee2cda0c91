/** The API's description as a page at `/docs`, for people: no key, nothing from elsewhere, and nothing can be framed. */
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';

/** Where the page is. */
const PREFIX = '/docs';

/** Serves the page; registered before the routes that it describes, so that it is there when they are ready. */
export const docsPage = fp(
  async (app: FastifyInstance) => {
    await app.register(async (scope) => {
      scope.addHook('onRoute', (route) => {
        route.config = { ...route.config, keyless: true };
      });
      await scope.register(swaggerUi, {
        routePrefix: PREFIX,
        uiConfig: { docExpansion: 'list', deepLinking: true, persistAuthorization: false },
        theme: {
          title: 'Drover API',
          // The bar on top speaks of the server's framework and would load other descriptions.
          css: [{ filename: 'drover.css', content: '.swagger-ui .topbar { display: none }' }],
        },
        staticCSP: true,
        transformStaticCSP: (policy) => `${policy}; frame-ancestors 'none'`,
      });
    });
  },
  { name: 'docs-page', fastify: '5.x', dependencies: ['openapi', 'auth'] },
);
