/**
 * What can be struck, and how. A new victim is a name in `plan.ts` and a `Victim` here: `strike` does the damage and
 * answers with the way to mend it, so that a stopped engine, a full disk or a cut network fit as well as a death.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from '../../testing/changes.js';
import { ApiClient } from '../../features/support/api-client.js';
import type { ApiProcess, Stack } from '../../features/support/stack.js';
import { PROGRAMS } from '../../features/support/places.js';
import { isAlive, killGroup } from '../../testing/processes.js';
import type { Program } from '../../testing/program.js';
import type { VictimName } from './plan.js';
import { RESERVE_BYTES, type SmallDisk } from './small-disk.js';

/** A supervisor waits before each restart, twice as long each time, and for a node worker that is away. */
const RESTART_LIMIT_MS = 90_000;
/** The last words of a process that has not reached Temporal at its start. */
const WITHOUT_TEMPORAL = /Temporal does not answer at|Temporal's namespace "[^"]*" cannot be used/;
/** The rest of the strikes at a disk leave half of the reserve to the tasks that run. */
const WHOLLY_FULL_SHARE = 0.6;

/** Which one is meant: by a drawn number, or the one behind a door. */
export interface Aim {
  draw: number;
  door?: string | undefined;
}

/** Something that was done. */
export interface Damage {
  /** What was struck, for the log of strikes. */
  what: string;
  /** Makes it good. */
  mend: () => Promise<void>;
}

/** One kind of victim. */
export interface Victim {
  /** Undefined when there is nothing left to strike. */
  strike(aim: Aim): Promise<Damage | undefined>;
}

/** The API processes: killed at once, a new one takes the place at an address of its own. */
export class Apis implements Victim {
  private readonly all: ApiProcess[] = [];
  /** Hit, and not replaced yet: two blows at the same moment are for two of them. */
  private readonly down = new Set<ApiProcess>();
  private started = 0;

  constructor(private readonly stack: Stack) {}

  /** Starts one more; its name is its own, as its log file's. */
  async add(): Promise<void> {
    this.started += 1;
    const program = this.stack.apiProgram({}, `api-${this.started + 1}`);
    const { url } = await program.waitForLog('the event "listening"', ({ event }) => event === 'listening');
    const api = { program, client: new ApiClient(String(url), this.stack.key) };
    this.all.push(api);
  }

  /** Takes the one that the stack was started with. */
  adopt(): void {
    this.all.push(this.stack.mustApi());
  }

  /** Where clients knock; one that has just died stays on the list until another is up. */
  doors(): string[] {
    return this.all.map(({ client }) => client.url);
  }

  /** One that lives. @throws Error when none does */
  mustLiving(): ApiProcess {
    const [first] = this.living();
    if (first === undefined) throw new Error('no API is up');
    return first;
  }

  async strike({ draw, door }: Aim): Promise<Damage | undefined> {
    const living = this.living();
    const aimed = living.find(({ client }) => client.url === door);
    const hit = aimed ?? living[Math.floor(draw * living.length)];
    if (hit === undefined) return undefined;
    this.down.add(hit);
    await hit.program.kill('SIGKILL');
    return {
      what: `${hit.program.name} at ${hit.client.url}${aimed === undefined ? '' : ', in mid-admission'}`,
      mend: async () => {
        await this.add();
        this.all.splice(this.all.indexOf(hit), 1);
      },
    };
  }

  /** Names of those that ended by themselves. */
  crashed(): string[] {
    return this.all.filter(({ program }) => program.crashed).map(({ program }) => program.name);
  }

  /** Ends all of them. */
  async stop(): Promise<void> {
    await Promise.all(this.all.map(({ program }) => program.stop()));
  }

  private living(): ApiProcess[] {
    return this.all.filter((api) => api.program.running && !this.down.has(api));
  }
}

/** The control workers. */
export class Controls implements Victim {
  private readonly all: Program[] = [];
  private readonly down = new Set<Program>();
  private started = 0;

  constructor(private readonly stack: Stack) {}

  /** Starts one more and waits until it polls. */
  async add(): Promise<void> {
    this.started += 1;
    const program = this.stack.program(`control-${this.started}`, PROGRAMS.control, {});
    await program.waitForLog('the event "polling"', ({ event }) => event === 'polling');
    this.all.push(program);
  }

  async strike({ draw }: Aim): Promise<Damage | undefined> {
    const living = this.all.filter((program) => program.running && !this.down.has(program));
    const hit = living[Math.floor(draw * living.length)];
    if (hit === undefined) return undefined;
    this.down.add(hit);
    await hit.kill('SIGKILL');
    return { what: hit.name, mend: () => this.add() };
  }

  /** Names of those that ended by themselves. */
  crashed(): string[] {
    return this.all.filter(({ crashed }) => crashed).map(({ name }) => name);
  }

  /** Ends all of them. */
  async stop(): Promise<void> {
    await Promise.all(this.all.map((program) => program.stop()));
  }
}

/** The node worker: killed, while its engines go on; the next one adopts them and takes its runs over. */
export class NodeWorker implements Victim {
  private down = false;

  constructor(private readonly stack: Stack) {}

  async strike(): Promise<Damage | undefined> {
    if (this.down) return undefined;
    this.down = true;
    const { name, pid } = this.stack.mustNode();
    await this.stack.mustNode().kill('SIGKILL');
    return {
      what: `${name} (pid ${pid})`,
      mend: async () => {
        await eventually(
          () => 'a node worker that stays',
          () => this.start(),
          RESTART_LIMIT_MS,
        );
        this.down = false;
      },
    };
  }

  /** As a service manager would: one that ends for want of Temporal, whose cable may be cut too, is started again. */
  private async start(): Promise<true | undefined> {
    try {
      await this.stack.startNode();
      return true;
    } catch (err) {
      const node = this.stack.mustNode();
      if (node.running || !WITHOUT_TEMPORAL.test(node.lastWords)) throw err;
      await node.waitForExit();
      return undefined;
    }
  }
}

/** The engines that serve: killed with their group, and started again by their pools' supervisors. */
export class Engines implements Victim {
  private readonly down = new Set<string>();

  constructor(
    private readonly stack: Stack,
    private readonly pools: readonly string[],
  ) {}

  async strike({ draw }: Aim): Promise<Damage | undefined> {
    const serving = this.pools.filter((pool) => !this.down.has(pool));
    const pool = serving[Math.floor(draw * serving.length)];
    if (pool === undefined) return undefined;
    const pid = await pidOf(this.stack, pool);
    if (pid === undefined || !isAlive(pid)) return undefined;
    this.down.add(pool);
    killGroup(pid);
    return {
      what: `the engine of ${pool} (pid ${pid})`,
      mend: async () => {
        const another = async () => {
          const now = await pidOf(this.stack, pool);
          return now !== undefined && now !== pid && isAlive(now) ? now : undefined;
        };
        await eventually(() => `another engine of ${pool} than ${pid}`, another, RESTART_LIMIT_MS);
        this.down.delete(pool);
      },
    };
  }
}

/** The node worker and an engine at once, as by a power cut: the next worker finds the engine gone, and starts another. */
export class Both implements Victim {
  constructor(
    private readonly node: NodeWorker,
    private readonly engines: Engines,
  ) {}

  async strike(aim: Aim): Promise<Damage | undefined> {
    const done = (await Promise.all([this.node.strike(), this.engines.strike(aim)])).filter(
      (damage) => damage !== undefined,
    );
    if (done.length === 0) return undefined;
    return {
      what: done.map(({ what }) => what).join(' and '),
      // The node worker first: it starts the engine.
      mend: async () => {
        for (const { mend } of done) await mend();
      },
    };
  }
}

/** The disk of the run logs: filled wholly, or so far that the node takes no new task. */
export class Disks implements Victim {
  private isFull = false;

  /** @param disk - undefined in a run that leaves it alone */
  constructor(private readonly disk: SmallDisk | undefined) {}

  async strike({ draw }: Aim): Promise<Damage | undefined> {
    const { disk } = this;
    if (this.isFull || disk === undefined) return undefined;
    this.isFull = true;
    const leftBytes = draw < WHOLLY_FULL_SHARE ? 0 : RESERVE_BYTES / 2;
    await disk.fill(leftBytes);
    return {
      what: `the disk of the run logs, which has ${leftBytes} bytes left`,
      mend: async () => {
        await disk.free();
        this.isFull = false;
      },
    };
  }
}

/** The engines that serve: held by SIGSTOP for a while, as by a machine that swaps, and let go again. */
export class Stalls implements Victim {
  constructor(
    private readonly stack: Stack,
    private readonly pools: readonly string[],
  ) {}

  async strike({ draw }: Aim): Promise<Damage | undefined> {
    const pool = this.pools[Math.floor(draw * this.pools.length)] ?? '';
    const pid = await pidOf(this.stack, pool);
    if (pid === undefined || !isAlive(pid)) return undefined;
    process.kill(pid, 'SIGSTOP');
    return {
      what: `the engine of ${pool} (pid ${pid}) by SIGSTOP`,
      mend: () => {
        if (isAlive(pid)) process.kill(pid, 'SIGCONT');
        return Promise.resolve();
      },
    };
  }
}

/** Undefined while no engine of the pool is recorded. */
async function pidOf({ stateDir }: Stack, pool: string): Promise<number | undefined> {
  const text = await readFile(join(stateDir, 'node', `${pool}.pid`), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : Number(text);
}

/** Victims by name. */
export type Victims = Record<VictimName, Victim>;
