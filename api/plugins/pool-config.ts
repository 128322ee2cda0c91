/** The pools of the configuration file: applied once the API listens, and whenever somebody asks for it. */
import fp from 'fastify-plugin';
import type { PoolConfig } from '../config/pool-config.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** The pools of this API's configuration file. */
    poolConfig: PoolConfig;
  }
}

/** Ties them to the life of the API. */
export const poolConfigOf = fp<{ poolConfig: PoolConfig }>(
  (app, { poolConfig }, done) => {
    app.decorate('poolConfig', poolConfig);
    app.addHook('onListen', (listening) => {
      poolConfig.start();
      listening();
    });
    app.addHook('onClose', (_app, closed) => {
      poolConfig.close();
      closed();
    });
    done();
  },
  { name: 'pool-config', fastify: '5.x' },
);
