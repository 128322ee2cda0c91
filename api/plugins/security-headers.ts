/** Headers that tell browsers to make nothing of our answers; the API serves data, not pages. */
import fp from 'fastify-plugin';

/** Set on every answer; a page of ours may replace the policy by its own. */
export const SECURITY_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const;

/** For a year a browser that was here by TLS comes by nothing else. */
const STRICT_TRANSPORT = { 'strict-transport-security': 'max-age=31536000' };

/** Adds the headers before anything can answer. */
export const securityHeaders = fp<{ tls: boolean }>(
  (app, { tls }, done) => {
    const headers = { ...SECURITY_HEADERS, ...(tls ? STRICT_TRANSPORT : {}) };
    app.addHook('onRequest', (_request, reply, next) => {
      void reply.headers(headers);
      next();
    });
    done();
  },
  { name: 'security-headers', fastify: '5.x', dependencies: ['correlation-id'] },
);
