/** What the gateway says of its machine: that it is there, what engines may compute on, what memory and disk it has left. */
import type { FastifyInstance } from 'fastify';
import type { NodeDevices } from '../../contracts/node.js';
import { backendsOf, resourcesOf, type BackendFacts, type ResourceFacts } from '../../domain/machine.js';

/** How the machine is looked at; tests hand in their own. */
export interface MachineFacts {
  /** Backends of this build and its settings. */
  backends: () => Omit<BackendFacts, 'gpus'>;
  resources: () => Promise<ResourceFacts>;
}

/** What the routes need of the gateway. */
export interface MachineRoutesDeps {
  version: string;
  devices: () => NodeDevices;
  machine: MachineFacts;
}

/** Where clients of the forerunner look whether a node is alive (B-NODE-030, C-168). */
export const MACHINE_HEALTH = '/v1/health';

/** `GET /v1/health`, `GET /v1/backends`, `GET /v1/resources`. */
export function machineRoutes(app: FastifyInstance, { version, devices, machine }: MachineRoutesDeps): void {
  app.get(MACHINE_HEALTH, () => ({ status: 'alive', version, api_version: 'v1' }));
  app.get('/v1/backends', () => ({
    backends: backendsOf({ ...machine.backends(), gpus: devices().devices.length }),
  }));
  app.get('/v1/resources', async () => resourcesOf(await machine.resources()));
}
