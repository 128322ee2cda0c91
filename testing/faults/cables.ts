/** The victim `cut`: a cable of the node's is cut for a while, the one to Temporal, the one to the APIs, or both. */
import type { NodeCable } from '../../features/support/node-host.js';
import type { Stack } from '../../features/support/stack.js';
import { NetworkHost } from '../network-host.js';
import type { Aim, Damage, Victim } from './victims.js';

/** Most cuts are of one cable. */
const CUTS: readonly (readonly NodeCable[])[] = [['Temporal'], ['the API'], ['Temporal', 'the API']];

/** The cables of the node's host. */
export class Cables implements Victim {
  private isCut = false;

  constructor(private readonly stack: Stack) {}

  async strike({ draw }: Aim): Promise<Damage | undefined> {
    const { host } = this.stack;
    if (this.isCut || host === undefined) return undefined;
    this.isCut = true;
    const cables = CUTS[Math.floor(draw * CUTS.length)] ?? [];
    for (const cable of cables) await host.cut(cable);
    return {
      what: `the node's cable to ${cables.join(' and ')}`,
      mend: async () => {
        for (const cable of cables) await host.mend(cable);
        this.isCut = false;
      },
    };
  }
}

/** @throws Error where this machine makes no hosts */
export async function tryHosts(): Promise<void> {
  await (await NetworkHost.make(['cable'])).remove();
}
