/**
 * A host of its own on this machine: a network namespace, reached over cables that a test may cut. What goes into a cut
 * cable is lost without a word, as in a network that fails. Needs root and Debian's iproute2.
 */
import { randomBytes } from 'node:crypto';
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { runToEnd } from './run-to-end.js';

/** Two ends of a cable: an address here and one on the host. */
interface Cable {
  device: string;
  /** The network of its two ends. */
  net: string;
  here: string;
  there: string;
}

const ip = (...args: string[]): Promise<string> => runToEnd('ip', args);

/** A host with the cables that it was made with. */
export class NetworkHost<Name extends string> {
  private readonly forwarders: Server[] = [];
  /** Of the ways; what a cut cable has swallowed ends with the host, not by itself. */
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly namespace: string,
    private readonly cables: ReadonlyMap<Name, Cable>,
  ) {}

  /** Makes the host; names are unique, so that runs beside one another do not meet. */
  static async make<Name extends string>(cableNames: readonly Name[]): Promise<NetworkHost<Name>> {
    const id = randomBytes(3);
    const tag = id.toString('hex');
    const namespace = `drover-${tag}`;
    const [a = 0, b = 0] = id;
    const cables = new Map<Name, Cable>();
    await ip('netns', 'add', namespace);
    await ip('-n', namespace, 'link', 'set', 'lo', 'up');
    for (const [index, name] of cableNames.entries()) {
      const net = `10.${128 + (a % 64)}.${b}`;
      const [here, there] = [`${net}.${index * 4 + 1}`, `${net}.${index * 4 + 2}`];
      const [device, peer] = [`d${tag}h${index}`, `d${tag}n${index}`];
      await ip('link', 'add', device, 'type', 'veth', 'peer', 'name', peer, 'netns', namespace);
      await ip('addr', 'add', `${here}/30`, 'dev', device);
      await ip('-n', namespace, 'addr', 'add', `${there}/30`, 'dev', peer);
      await ip('link', 'set', device, 'up');
      await ip('-n', namespace, 'link', 'set', peer, 'up');
      // What cannot take a cut cable must not take the way that leads everywhere else.
      await ip('route', 'add', 'blackhole', `${net}.${index * 4}/30`, 'metric', '4096');
      if (index === 0) await ip('-n', namespace, 'route', 'add', 'blackhole', 'default', 'metric', '4096');
      cables.set(name, { device, net: `${net}.${index * 4}/30`, here, there });
    }
    return new NetworkHost(namespace, cables);
  }

  /** How a program is started there. */
  command(program: string, args: readonly string[]): { command: string; args: string[] } {
    return { command: 'ip', args: ['netns', 'exec', this.namespace, program, ...args] };
  }

  /** The host's address on a cable. */
  addressOn(name: Name): string {
    return this.cable(name).there;
  }

  /** Gives the host a way over a cable to something that listens on loopback here; returns `host:port` as it sees it. */
  async wayTo(address: string, name: Name): Promise<string> {
    const at = address.lastIndexOf(':');
    const target = { host: address.slice(0, at), port: Number(address.slice(at + 1)) };
    const { here } = this.cable(name);
    const server = createServer((inbound) => {
      const outbound = connect(target);
      inbound.pipe(outbound).pipe(inbound);
      for (const socket of [inbound, outbound]) {
        this.sockets.add(socket);
        socket.once('close', () => this.sockets.delete(socket));
      }
      // Either end's loss is the other's.
      inbound.on('error', () => outbound.destroy());
      outbound.on('error', () => inbound.destroy());
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, here, resolve);
    });
    server.unref();
    this.forwarders.push(server);
    return `${here}:${(server.address() as AddressInfo).port}`;
  }

  /** From now on everything on this cable is lost. */
  async cut(name: Name): Promise<void> {
    await ip('link', 'set', this.cable(name).device, 'down');
  }

  /** The cable carries again. */
  async mend(name: Name): Promise<void> {
    await ip('link', 'set', this.cable(name).device, 'up');
  }

  /** Takes the host away; its processes must have ended. */
  async remove(): Promise<void> {
    for (const server of this.forwarders) server.close();
    for (const socket of this.sockets) socket.destroy();
    for (const { device, net } of this.cables.values()) {
      await ip('link', 'del', device);
      await ip('route', 'del', 'blackhole', net, 'metric', '4096');
    }
    await ip('netns', 'del', this.namespace);
  }

  private cable(name: Name): Cable {
    const cable = this.cables.get(name);
    if (cable === undefined) throw new Error(`no cable ${name}`);
    return cable;
  }
}
