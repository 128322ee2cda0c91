/** What the activities on the registry of nodes work with; tests hand in their own. */
import type { NodeRequest, RegisteredNode } from '../../contracts/registered-node.js';
import type { SshTransport } from './ssh-transport.js';

/** The part of the registry that they need. */
interface RegistryRows {
  /** Undefined where the name is registered. */
  add: (node: NodeRequest) => Promise<RegisteredNode | undefined>;
  get: (name: string) => Promise<RegisteredNode | undefined>;
  /** Undefined where there is no such node. */
  contacted: (name: string, reached: boolean) => Promise<RegisteredNode | undefined>;
}

/** Where they write what they did. */
interface RegistryLog {
  info: (fields: object, message: string) => void;
  warn: (fields: object, message: string) => void;
}

/** What a node is given when Drover is installed there, and how it is known to have come up. */
export interface InstallSettings {
  /** Secrets of this process; undefined where it has none. */
  nodeToken: string | undefined;
  payloadKeys: string | undefined;
  apiUrl: string | undefined;
  temporalAddress: string | undefined;
  namespace: string;
  /** Of this program. */
  version: string;
  /** When a node was heard of last, and whether it is online; undefined for one that has never registered. */
  lastReport: (nodeId: string) => Promise<{ heardMs: number; online: boolean } | undefined>;
}

/** All of it. */
export interface RegistryDeps {
  transport: SshTransport;
  nodes: RegistryRows;
  log: RegistryLog;
  install: InstallSettings;
}
