/** Circuits of pools (control-plane 4, B-CP-073). */
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { supervisionView } from '../../../contracts/supervision.js';
import { poolId } from '../../../contracts/task.js';
import { contextOf } from '../../request-context.js';
import type { ResetCircuit } from '../../tasks/reset-circuit.js';
import { refusals } from '../refusals.js';

/** `POST /v2/pools/:id/circuit/reset`. */
export const circuitRoutes: FastifyPluginCallbackZod<{ resetCircuit: ResetCircuit }> = (
  app,
  { resetCircuit },
  done,
) => {
  app.post(
    '/v2/pools/:id/circuit/reset',
    {
      config: { audit: 'circuit_reset' },
      schema: {
        operationId: 'resetCircuit',
        summary: 'Let a pool be started again',
        description:
          'Closes the circuits that hold the restarts of a pool whose engine has crashed again and again, forgets the ' +
          'crashes, and starts the engine at once where it is down.',
        tags: ['pools'],
        params: z.object({ id: poolId }),
        response: { 200: supervisionView, ...refusals(400, 404, 409, 503) },
      },
    },
    (request) => resetCircuit(request.params.id, contextOf(request)),
  );
  done();
};
