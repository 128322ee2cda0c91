/**
 * A second node of an installation. It may be on a host of its own, where cables lead from it to Temporal and to the APIs;
 * else it is a second worker on this machine.
 */
import { join } from 'node:path';
import type { Program } from '../../testing/program.js';
import { PROGRAMS } from './places.js';
import assert from 'node:assert/strict';
import { freePort } from '../../testing/free-port.js';
import { gatewayOn, makeNodeHost, type NodeCable, type NodeHost } from './node-host.js';
import { PRELOAD_WAIT_MS } from './engines.js';
import type { Stack } from './stack.js';

/** The far node. */
export class FarNode {
  readonly id: string;
  /** Its pool: bigger than the near one's, so that tasks are placed here first. */
  readonly pool = 'far';
  program: Program | undefined;

  private constructor(
    private readonly stack: Stack,
    /** Where the API finds its gateway. */
    readonly url: string,
    private readonly host?: NodeHost,
  ) {
    this.id = `far-${stack.name}`;
  }

  /** Makes its host, unless it is a second worker on this one. */
  static async make(stack: Stack, on: 'host' | 'machine'): Promise<FarNode> {
    if (on === 'machine') return new FarNode(stack, `http://127.0.0.1:${await freePort()}`);
    const host = await makeNodeHost();
    return new FarNode(stack, gatewayOn(host), host);
  }

  /** Starts its worker. */
  async start(): Promise<void> {
    const env = {
      DROVER_NODE_ID: this.id,
      DROVER_NODE_ADDR: new URL(this.url).host,
      DROVER_NODE_POOLS: this.pool,
      DROVER_STATE_DIR: join(this.stack.stateDir, 'far'),
      ...(this.host === undefined
        ? {}
        : { TEMPORAL_ADDRESS: await this.host.wayTo(this.stack.temporal.address, 'Temporal') }),
    };
    this.program = this.stack.program('far-node', PROGRAMS.node, env, this.host);
    await this.program.waitForLog('the event "listening"', ({ event }) => event === 'listening');
  }

  /** Loads its pool, which has three slots more than the near one. */
  async preload(): Promise<void> {
    const engine = await this.stack.prepareEngine();
    const port = this.host === undefined ? await freePort() : 8001;
    const slots = engine.slots_total + 3;
    const flags = [...engine.flags];
    const set = (flag: string, value: number) => (flags[flags.indexOf(flag) + 1] = String(value));
    set('--port', port);
    set('--parallel', slots);
    set('--ctx-size', slots * engine.ctx_max);
    const prepared = { ...engine, pool_id: this.pool, port, flags, slots_total: slots };
    const answer = await this.stack.mustApi().client.request('POST', `/v2/pools/${this.pool}/preload`, {
      body: { prepared, wait_ms: PRELOAD_WAIT_MS },
    });
    assert.equal(answer.status, 200, answer.text);
  }

  cut(cables: readonly NodeCable[]): Promise<unknown> {
    return Promise.all(cables.map((cable) => this.mustHost().cut(cable)));
  }

  mend(cables: readonly NodeCable[]): Promise<unknown> {
    return Promise.all(cables.map((cable) => this.mustHost().mend(cable)));
  }

  private mustHost(): NodeHost {
    if (this.host === undefined) throw new Error('the far node is on this machine, and has no cables');
    return this.host;
  }

  /** Takes the host away, once its worker has ended. */
  async remove(): Promise<void> {
    await this.host?.remove();
  }
}
