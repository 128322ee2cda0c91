/** Counters of a stack's processes, read before and after: what a scenario has moved. */
import { parseMetrics, sumOf, type Metrics } from './metrics-text.js';
import type { Stack } from './stack.js';

/** A process whose metrics are read. */
export type Owner = 'api' | 'node';

/** Metrics of one stack. */
export class Meter {
  private before: Record<Owner, Metrics> | undefined;

  constructor(private readonly stack: Stack) {}

  /** From here on rises are counted. */
  async remember(): Promise<void> {
    this.before = await this.read();
  }

  /** The metrics of both processes, now. */
  async read(): Promise<Record<Owner, Metrics>> {
    const page = async (url: string) => parseMetrics(await (await fetch(`${url}/metrics`)).text());
    const { url } = this.stack.mustApi().client;
    const [api, node] = await Promise.all([page(url), page(this.stack.nodeUrl)]);
    return { api, node };
  }

  /** By how much a metric has risen since {@link remember}, in each process. */
  async risesOf(name: string, labels: Record<string, string> = {}): Promise<Record<Owner, number>> {
    const { before } = this;
    if (before === undefined) throw new Error('the counters were not read before');
    const now = await this.read();
    const rise = (owner: Owner) => sumOf(now[owner], name, labels) - sumOf(before[owner], name, labels);
    return { api: rise('api'), node: rise('node') };
  }

  /** By how much a metric has risen since {@link remember}, in both processes together. */
  async riseOf(name: string, labels: Record<string, string> = {}): Promise<number> {
    const { api, node } = await this.risesOf(name, labels);
    return api + node;
  }

  /** A gauge of the node worker: queues and slots are its own. */
  async nodeGauge(name: string, labels: Record<string, string>): Promise<number> {
    return sumOf((await this.read()).node, name, labels);
  }
}
