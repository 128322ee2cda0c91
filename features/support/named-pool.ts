/** A pool beside `default`, as somebody on its machine finds it; its engine is a fake one. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { poolStatus, type PoolStatus } from '../../contracts/pool.js';
import { handoffFileName } from '../../domain/identity.js';
import { eventually } from '../../testing/changes.js';
import type { Stack } from './stack.js';

const observed = z.object({
  argv: z.array(z.string()),
  env: z.record(z.string(), z.string()),
  tasks: z.number(),
});

/** One pool of a stack. */
export class NamedPool {
  constructor(
    private readonly stack: Stack,
    private readonly poolId: string,
  ) {}

  /** The pool, as its node worker reports it. */
  async status(): Promise<PoolStatus> {
    return poolStatus.parse(await this.stack.askNode(`/pools/${this.poolId}/status`));
  }

  /** Waits until the pool is as wanted. */
  until(wanted: (status: PoolStatus) => boolean): Promise<PoolStatus> {
    return eventually(
      () => `the pool ${this.poolId}`,
      async () => {
        const answer = poolStatus.safeParse(await this.stack.askNode(`/pools/${this.poolId}/status`));
        return answer.success && wanted(answer.data) ? answer.data : undefined;
      },
    );
  }

  /** Where its handoff stands. */
  get handoffPath(): string {
    return join(this.stack.stateDir, 'engines', handoffFileName(this.poolId, 'r0'));
  }

  /** Its handoff, as it stands in its file. */
  handoffText(): Promise<string> {
    return readFile(this.handoffPath, 'utf8');
  }

  /** What the engine says of itself. */
  async engine(): Promise<z.infer<typeof observed>> {
    const { url } = z.object({ url: z.string() }).parse(JSON.parse(await this.handoffText()));
    return observed.parse(await (await fetch(`${url}/fake`)).json());
  }
}
