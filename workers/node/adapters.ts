/** How this node speaks to engines: with the waits of its settings, and to each with the key that it wants. */
import { adapterFor, type EngineAdapter } from '../../activities/engine/adapters/engine-adapter.js';
import type { Settings } from '../../contracts/settings.js';
import type { EngineKind } from '../../contracts/task.js';

/** What of the settings matters here. */
export type AdapterSettings = Pick<
  Settings,
  'DROVER_ENGINE_FIRST_BYTE_MS' | 'DROVER_ENGINE_IDLE_MS' | 'DROVER_NODE_ENGINE_KEYS'
>;

/** Adapters by an engine's kind and address; a key goes to the host and port that it is for, and nowhere else. */
export function adaptersOf(settings: AdapterSettings): (kind: EngineKind, url: string) => EngineAdapter {
  const waits = { firstByteMs: settings.DROVER_ENGINE_FIRST_BYTE_MS, idleMs: settings.DROVER_ENGINE_IDLE_MS };
  const keys = new Map(settings.DROVER_NODE_ENGINE_KEYS.map(({ host, key }) => [host, key]));
  return (kind, url) => adapterFor(kind, url, { ...waits, key: keys.get(hostOf(url)) });
}

function hostOf(url: string): string {
  const { hostname, port, protocol } = new URL(url);
  return `${hostname}:${port || (protocol === 'https:' ? '443' : '80')}`;
}
