/** A launch description without a default in it, and what becomes of each field. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { handoff, type Handoff } from '../../contracts/handoff.js';
import {
  preloadResult,
  type PoolStatus,
  type PreparedEngine,
  type PreloadResult,
} from '../../contracts/pool.js';
import { argumentsOf } from '../../testing/processes.js';
import type { Answer } from './api-client.js';
import type { Stack } from './stack.js';

/** The fake engine on another loopback address, as every field of a launch can say it. */
export async function fullLaunch(stack: Stack): Promise<PreparedEngine> {
  const fake = await stack.prepareFakeEngine(['--host', '127.0.0.2', '--log-line', 'two words']);
  return {
    ...fake,
    replica_id: 'r7',
    engine_version: 'b4242',
    engine_digest: 'sha256:4242',
    engine_catalog_id: 'llamacpp-b4242',
    provisioning_mode: 'source',
    host: '127.0.0.2',
    port_fixed: true,
    health_path: '/props',
    model_ref: 'full',
    model_name: 'Full',
    device_mask: '0,1',
    share_devices: true,
    slots_total: 3,
    ctx_max: 512,
    env: { DROVER_TEST_GREETING: 'hello' },
  };
}

const seen = z.object({ env: z.record(z.string(), z.string()), polls: z.array(z.number()) });

/** The engine that a launch came to be. */
export class LaunchedEngine {
  readonly result: PreloadResult;

  constructor(
    private readonly launch: PreparedEngine,
    answer: Answer,
  ) {
    this.result = preloadResult.parse(answer.json);
  }

  /** Command line of its process. */
  commandLine(): Promise<string[]> {
    return argumentsOf(Number(this.result.pid));
  }

  /** What it says of itself, at the address of the launch. */
  async seen(): Promise<z.infer<typeof seen>> {
    const { host, port } = this.launch;
    return seen.parse(await (await fetch(`http://${host}:${port}/fake`)).json());
  }

  /** Its handoff, read. */
  async handoff(): Promise<Handoff> {
    return handoff.parse(JSON.parse(await readFile(String(this.result.handoff_path), 'utf8')));
  }

  /** Fields of `told` as the launch has them. */
  as<T extends Handoff | PoolStatus>(told: T): Partial<T> {
    return Object.fromEntries(Object.entries(this.launch).filter(([name]) => name in told)) as Partial<T>;
  }
}
