/** A second node of an installation, on a host of its own: cables lead from it to Temporal and to the APIs. */
import { join } from 'node:path';
import type { Program } from '../../testing/program.js';
import { PROGRAMS } from './places.js';
import { gatewayOn, makeNodeHost, type NodeCable, type NodeHost } from './node-host.js';
import type { Stack } from './stack.js';

/** The far node. */
export class FarNode {
  readonly id: string;
  /** Its pool: bigger than the near one's, so that tasks are placed here first. */
  readonly pool = 'far';
  program: Program | undefined;

  private constructor(
    private readonly stack: Stack,
    private readonly host: NodeHost,
  ) {
    this.id = `far-${stack.name}`;
  }

  /** Makes its host. */
  static async make(stack: Stack): Promise<FarNode> {
    return new FarNode(stack, await makeNodeHost());
  }

  /** Where the API finds its gateway. */
  get url(): string {
    return gatewayOn(this.host);
  }

  /** Starts its worker. */
  async start(): Promise<void> {
    const env = {
      DROVER_NODE_ID: this.id,
      DROVER_NODE_ADDR: new URL(this.url).host,
      DROVER_NODE_POOLS: this.pool,
      DROVER_STATE_DIR: join(this.stack.stateDir, 'far'),
      TEMPORAL_ADDRESS: await this.host.wayTo(this.stack.temporal.address, 'Temporal'),
    };
    this.program = this.stack.program('far-node', PROGRAMS.node, env, this.host);
    await this.program.waitForLog('the event "listening"', ({ event }) => event === 'listening');
  }

  cut(cables: readonly NodeCable[]): Promise<unknown> {
    return Promise.all(cables.map((cable) => this.host.cut(cable)));
  }

  mend(cables: readonly NodeCable[]): Promise<unknown> {
    return Promise.all(cables.map((cable) => this.host.mend(cable)));
  }

  /** Takes the host away, once its worker has ended. */
  remove(): Promise<void> {
    return this.host.remove();
  }
}
