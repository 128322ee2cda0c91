/** The preload of a fake engine as somebody beside the machine sees it: what it is asked, what it leaves, how it ends. */
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Client } from '@temporalio/client';
import { z } from 'zod';
import { poolWorkflowId } from '../../domain/identity.js';
import { builtFakeEngine } from '../../testing/built-fake-engine.js';
import { eventually } from '../../testing/changes.js';
import { processesNaming } from '../../testing/processes.js';
import { POOL } from './engines.js';
import type { Stack } from './stack.js';

const seen = z.object({
  argv: z.array(z.string()),
  polls: z.array(z.number()),
  watched_file_was_there: z.boolean().nullable(),
});

/** What a look at a loading engine finds; the engine is asked last, so that what was found before was not too late. */
export interface Look {
  state: string;
  ready: boolean;
  handoff: boolean;
  healthy: boolean;
}

/** The preload of one stack's pool. */
export class PreloadView {
  constructor(private readonly stack: Stack) {}

  /** What the engine says of itself. */
  async engine(): Promise<z.infer<typeof seen>> {
    return seen.parse(await (await fetch(`${await this.url()}/fake`)).json());
  }

  /** Waits until the engine has been asked for its health. */
  async untilPolled(): Promise<void> {
    await eventually(
      () => 'the first poll',
      async () => ((await this.engine().catch(() => undefined))?.polls.length ?? 0) > 0 || undefined,
    );
  }

  /** Waits until the engine is healthy, whoever is there to ask. */
  async untilHealthy(): Promise<void> {
    await eventually(
      () => 'the engine to be healthy',
      async () => (await this.isHealthy()) || undefined,
    );
  }

  /** Looks at pool, handoff and engine, again and again until the engine is healthy. */
  async looksUntilHealthy(): Promise<Look[]> {
    const looks: Look[] = [];
    await this.untilPolled();
    await eventually(
      () => 'the engine to be healthy',
      async () => {
        const { state, ready } = await this.stack.pool.status();
        const handoff = (await this.handoffs()).length > 0;
        const healthy = await this.isHealthy();
        if (!healthy) looks.push({ state, ready, handoff, healthy });
        return healthy || undefined;
      },
    );
    return looks;
  }

  /** Names of the handoff files; none when there is no folder. */
  async handoffs(): Promise<string[]> {
    return readdir(dirname(this.stack.pool.handoffPath)).catch(() => []);
  }

  /** Lines of the engine's log. */
  async logLines(): Promise<string[]> {
    const text = await readFile(this.logPath, 'utf8');
    return text.trimEnd().split('\n');
  }

  get logPath(): string {
    return this.stack.pool.file(`engine-${POOL}.log`);
  }

  /** Pids of every fake engine of this run: those of other scenarios have ended with them. */
  async engines(): Promise<number[]> {
    return (await processesNaming(await builtFakeEngine())).map(({ pid }) => pid);
  }

  /** Cancels the workflow, as an operator does. */
  async cancel(): Promise<void> {
    await this.handle().cancel();
  }

  /** Waits until the workflow has this status. */
  async untilStatus(status: string): Promise<void> {
    await eventually(
      () => `the preload to be ${status}`,
      async () => (await this.handle().describe()).status.name === status || undefined,
    );
  }

  private handle() {
    const { connection } = this.stack.temporal;
    const client = new Client({ connection, namespace: this.stack.namespace });
    return client.workflow.getHandle(poolWorkflowId(POOL, 'preload'));
  }

  private async isHealthy(): Promise<boolean> {
    const answer = await fetch(`${await this.url()}/health`).catch(() => undefined);
    return answer?.status === 200;
  }

  /** By the spawn record, which is there before the handoff. */
  private async url(): Promise<string> {
    const text = await readFile(join(this.stack.stateDir, 'node', `${POOL}.spawn.json`), 'utf8').catch(
      () => '',
    );
    const port = /"port": (\d+)/.exec(text)?.[1];
    return `http://127.0.0.1:${port ?? '1'}`;
  }
}
