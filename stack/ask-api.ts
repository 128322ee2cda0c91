/** How the stack speaks to its own API: where that has a certificate, this certificate and no other is taken. */
import { readFileSync } from 'node:fs';
import { Agent, fetch as fetchThrough } from 'undici';
import type { Settings } from '../contracts/settings.js';

/** `fetch`, as far as it is used here. */
export type AskApi = (
  url: string,
  init: { method?: string; headers?: Record<string, string>; body?: string; signal: AbortSignal },
) => Promise<{ ok: boolean; status: number; json: () => Promise<unknown> }>;

/** Builds the caller. */
export function askApi({ DROVER_TLS_CERT: certFile }: Pick<Settings, 'DROVER_TLS_CERT'>): AskApi {
  if (certFile === undefined) return fetch;
  const connect = {
    ca: readFileSync(certFile),
    // The certificate of a chain is trusted by itself: it is the very one that our API shows.
    allowPartialTrustChain: true,
    // It speaks for the name that clients use, not for loopback.
    checkServerIdentity: () => undefined,
  };
  const dispatcher = new Agent({ connect });
  return (url, init) => fetchThrough(url, { ...init, dispatcher });
}
