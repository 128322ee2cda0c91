/**
 * A page in a browser can reach a loopback service by a name of its own that it makes resolve to 127.0.0.1 (DNS
 * rebinding). On a loopback bind the `Host` header must therefore name this machine.
 */
import fp from 'fastify-plugin';
import { DroverError } from '../../contracts/errors.js';
import { isRebound } from '../../security/loopback.js';

/** Where the API listens. */
export interface HostCheckOptions {
  host: string;
}

/** Refuses foreign names on a loopback bind. */
export const hostCheck = fp<HostCheckOptions>(
  (app, { host }, done) => {
    app.addHook('onRequest', (request, _reply, next) => {
      if (!isRebound(host, request.headers.host)) return next();
      request.log.warn({ event: 'host_refused' }, 'request for another host refused');
      next(new DroverError('FORBIDDEN_HOST', 'this address is served under its own name only'));
    });
    done();
  },
  { name: 'host-check', fastify: '5.x', dependencies: ['errors', 'correlation-id'] },
);
