/** Visits in memory, for the API's own tests: a registry is written as the workflows would, or the visit fails as told. */
import type { NodeVisitInput } from '../../contracts/registered-node.js';
import type { Nodes } from '../../store/nodes.js';
import type { NodeVisits, VisitOutcome } from '../clients/node-visits.js';

/** Visits in memory. */
export class MemoryVisits implements NodeVisits {
  readonly inputs: NodeVisitInput[] = [];
  /** What visits come to. */
  outcome: VisitOutcome = { kind: 'reached', visited: { round_trip_ms: 2.5, slow: false, installed: true } };
  /** An addition of the same name runs. */
  adding = false;

  constructor(private readonly nodes: Nodes) {}

  async add(input: NodeVisitInput): Promise<VisitOutcome | undefined> {
    if (this.adding) return undefined;
    this.inputs.push(input);
    if (this.outcome.kind === 'reached') await this.nodes.add(input.node);
    return this.outcome;
  }

  async check(input: NodeVisitInput): Promise<VisitOutcome> {
    this.inputs.push(input);
    await this.nodes.contacted(input.node.node_name, this.outcome.kind === 'reached');
    return this.outcome;
  }
}
