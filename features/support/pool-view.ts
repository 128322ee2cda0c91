/** The pool `default` of a stack as somebody on its machine finds it: files, processes, the engine's own word. */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { handoff, type Handoff } from '../../contracts/handoff.js';
import { poolStatus, type PoolStatus } from '../../contracts/pool.js';
import { builtFakeEngine } from '../../testing/built-fake-engine.js';
import { eventually } from '../../testing/changes.js';
import { argumentsOf, isAlive, processesNaming, zombiesOf } from '../../testing/processes.js';
import { POOL } from './engines.js';
import type { Stack } from './stack.js';

/** An engine stops within this time after its reader has left (C-103). */
const ENGINE_IDLE_MS = 1_000;

/** The pool of one stack. */
export class PoolView {
  constructor(private readonly stack: Stack) {}

  /** A file of the node worker about its engine. */
  file(name: string): string {
    return join(this.stack.stateDir, 'node', name);
  }

  /** Where the handoff stands. */
  get handoffPath(): string {
    return join(this.stack.stateDir, 'engines', `${POOL}-r0.json`);
  }

  /** The handoff, as it stands in its file. */
  handoffText(): Promise<string> {
    return readFile(this.handoffPath, 'utf8');
  }

  /** The handoff, read. */
  async handoff(): Promise<Handoff> {
    return handoff.parse(JSON.parse(await this.handoffText()));
  }

  /** Pid of the engine, as the PID file has it. */
  async pid(): Promise<number> {
    return Number(await readFile(this.file(`${POOL}.pid`), 'utf8'));
  }

  /** True while the engine's process is there. */
  async lives(): Promise<boolean> {
    return isAlive(await this.pid());
  }

  /** Command line of the engine's process. */
  async commandLine(): Promise<string[]> {
    return argumentsOf(await this.pid());
  }

  /** The pool, as its node worker reports it. */
  async status(): Promise<PoolStatus> {
    const headers = { authorization: `Bearer ${this.stack.nodeToken}` };
    const response = await fetch(`${this.stack.nodeUrl}/pools/${POOL}/status`, { headers });
    return poolStatus.parse(await response.json());
  }

  /** Waits until the pool is in this state, as its node worker reports it. */
  async waitForState(state: string): Promise<void> {
    let last: PoolStatus | undefined;
    await eventually(
      () => `the pool to be ${state}: ${JSON.stringify(last)}`,
      async () => {
        last = await this.status();
        return last.state === state || undefined;
      },
    );
  }

  /** Waits until the pool is as wanted, as its node worker reports it. */
  async waitForStatus(wanted: (status: PoolStatus) => boolean): Promise<PoolStatus> {
    let last: PoolStatus | undefined;
    return eventually(
      () => `the pool to be as wanted: ${JSON.stringify(last)}`,
      async () => {
        last = await this.status();
        return wanted(last) ? last : undefined;
      },
    );
  }

  /** Waits until an engine with another pid than this serves; answers with its pid. */
  async waitForEngineAfter(pid: number): Promise<number> {
    let last = pid;
    await eventually(
      () => `another engine than ${pid} to serve: ${last}`,
      async () => {
        last = await this.pid().catch(() => pid);
        return (last !== pid && (await this.status()).state === 'ready') || undefined;
      },
    );
    return last;
  }

  /** Waits until so many slots are taken, as its node worker reports it. */
  async waitForLeases(count: number): Promise<void> {
    let last: PoolStatus | undefined;
    await eventually(
      () => `${count} leases of the pool: ${JSON.stringify(last)}`,
      async () => {
        last = await this.status();
        return last.active_leases === count || undefined;
      },
    );
  }

  /** Waits until new work goes to an engine of this version. */
  async waitForVersion(version: string): Promise<void> {
    await eventually(
      () => `the pool to serve the version ${version}`,
      async () => (await this.status()).engine_version === version || undefined,
    );
  }

  /** Names of the spawn records: one for each engine that the node worker knows. */
  async recordedEngines(): Promise<string[]> {
    const names = await readdir(join(this.stack.stateDir, 'node'));
    return names.filter((name) => name.endsWith('.spawn.json')).sort();
  }

  /** Waits until the engine itself says that it computes nothing; it notices a reader who left within milliseconds. */
  async waitForIdleEngine(): Promise<void> {
    const { url } = await this.handoff();
    const slots = z.array(z.object({ is_processing: z.boolean() }));
    const idle = async () => {
      const busy = slots
        .parse(await (await fetch(`${url}/slots`)).json())
        .filter((slot) => slot.is_processing);
      return busy.length === 0 ? true : undefined;
    };
    await eventually(() => 'the engine to be idle', idle, ENGINE_IDLE_MS);
  }

  /** What a preload with a fake engine has left: files by name, processes by number. */
  async left(): Promise<string[]> {
    const files = [this.file(`${POOL}.pid`), this.file(`${POOL}.spawn.json`), this.handoffPath];
    const engines = await processesNaming(await builtFakeEngine());
    const zombies = await zombiesOf(this.stack.mustNode().pid);
    return [
      ...files.filter((file) => existsSync(file)),
      ...engines.map(({ pid, commandLine }) => `${pid} ${commandLine}`),
      ...zombies.map((pid) => `zombie ${pid}`),
    ];
  }
}
