/**
 * A page in a browser can reach a loopback service by a name of its own that it makes resolve to 127.0.0.1 (DNS
 * rebinding). On a loopback bind the `Host` header must therefore name this machine.
 */
import fp from 'fastify-plugin';
import { DroverError } from '../../contracts/errors.js';

/** Where the API listens. */
export interface HostCheckOptions {
  host: string;
}

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]', '::1'];

/** True for an address that only this machine reaches. */
export function isLoopback(host: string): boolean {
  return LOOPBACK_NAMES.includes(host) || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** Refuses foreign names on a loopback bind. A request without `Host` (HTTP/1.0) comes from no browser. */
export const hostCheck = fp<HostCheckOptions>(
  (app, { host }, done) => {
    if (isLoopback(host)) {
      app.addHook('onRequest', (request, _reply, next) => {
        const { host: header } = request.headers;
        const name = header === undefined ? undefined : hostName(header);
        if (name === undefined || name === host || LOOPBACK_NAMES.includes(name)) return next();
        request.log.warn({ event: 'host_refused' }, 'request for another host refused');
        next(new DroverError('FORBIDDEN_HOST', 'this address is served under its own name only'));
      });
    }
    done();
  },
  { name: 'host-check', fastify: '5.x', dependencies: ['errors', 'correlation-id'] },
);

/** The name in a `Host` header, without the port, in lower case. */
export function hostName(header: string): string {
  return header.toLowerCase().replace(/:\d*$/, '');
}
