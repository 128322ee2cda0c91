/** The headers for browsers on every answer; a page of ours may replace the policy by its own. */
import fp from 'fastify-plugin';
import { BROWSER_HEADERS } from '../../security/browser-headers.js';

/** For a year a browser that was here by TLS comes by nothing else. */
const STRICT_TRANSPORT = { 'strict-transport-security': 'max-age=31536000' };

/** Adds the headers before anything can answer. */
export const securityHeaders = fp<{ tls: boolean }>(
  (app, { tls }, done) => {
    const headers = { ...BROWSER_HEADERS, ...(tls ? STRICT_TRANSPORT : {}) };
    app.addHook('onRequest', (_request, reply, next) => {
      void reply.headers(headers);
      next();
    });
    done();
  },
  { name: 'security-headers', fastify: '5.x', dependencies: ['correlation-id'] },
);
