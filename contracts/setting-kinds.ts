/** The kinds of values that settings have, each checked with words that say what was expected (B-OBS-052). */
import { isIP } from 'node:net';
import { z } from 'zod';
import { POOL_ID_PATTERN } from '../domain/identity.js';
import { DEFAULT_RESTART_POLICY } from '../domain/restart-policy.js';
import { restartWishes, withWishes } from './supervision.js';

/** A port that needs no rights of root (B-VAL-016); 0 takes a free one. */
export const port = (byDefault: number) =>
  z.coerce
    .number()
    .int()
    .max(65_535)
    .refine(isPort, 'must be a port from 1024 to 65535, or 0 for a free one')
    .default(byDefault);
/** Ports from the first to the last. */
export const portRange = z.string().transform((text, ctx) => {
  const [, first = 0, last = 0] = (/^(\d+)-(\d+)$/.exec(text) ?? []).map(Number);
  const isRange = first >= 1_024 && first <= last && last <= 65_535;
  if (!isRange) ctx.addIssue({ code: 'custom', message: 'must be <first>-<last>, from 1024 to 65535' });
  return { first, last };
});
/** A time in milliseconds, at most 30 days. */
export const ms = (byDefault: number, min = 1) =>
  z.coerce
    .number()
    .int()
    .min(min)
    .max(86_400_000 * 30)
    .default(byDefault);
/** A comma-separated list; empty entries do not count. */
export const list = z.string().transform((s) =>
  s
    .split(',')
    .map((x) => x.trim())
    .filter((x) => x !== ''),
);

/** Path of a file that holds a secret. */
export const secretFile = (setting: string) =>
  z
    .string()
    .optional()
    .describe(
      `File that holds \`${setting}\` in one line, mode 0600 or 0400; systemd's credential directory is looked into too.`,
    );

/** Blocks of addresses. */
export const networks = list.transform((entries, ctx) =>
  entries.filter((entry) => {
    const [address = '', prefix = ''] = entry.split('/');
    const bits = isIP(address) === 6 ? 128 : 32;
    if (isIP(address) !== 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= bits) return true;
    ctx.addIssue({ code: 'custom', message: `"${entry}" is not <address>/<bits>` });
    return false;
  }),
);

const MODEL_SOURCE = /^(?:hf(?::[\w.-]+(?:\/[\w.-]+)?)?|s3(?::\/\/[\w.-]+)?|[\w-]+(?:\.[\w-]+)*)$/;

/** Places that models may be fetched from; none where it says `off`. */
export const modelSources = list.transform((sources, ctx) => {
  if (sources.length === 1 && sources[0] === 'off') return [];
  return sources.filter((source) => {
    if (source !== 'off' && MODEL_SOURCE.test(source)) return true;
    ctx.addIssue({ code: 'custom', message: `"${source}" is no hf[:org[/repo]], s3[://bucket] or host` });
    return false;
  });
});

/** Pool ids. */
export const pools = list.transform((ids, ctx) =>
  ids.filter((id) => {
    if (POOL_ID_PATTERN.test(id)) return true;
    ctx.addIssue({ code: 'custom', message: `"${id}" is no pool id` });
    return false;
  }),
);

/** What engines compute on. */
export const BACKENDS = ['cuda', 'cpu', 'metal', 'vulkan'] as const;

/** Backends. */
export const backends = list.transform((entries, ctx) =>
  entries.filter((entry) => {
    if (BACKENDS.some((known) => known === entry)) return true;
    ctx.addIssue({ code: 'custom', message: `"${entry}" is none of ${BACKENDS.join(', ')}` });
    return false;
  }),
);

/** Origins of pages, as browsers send them. */
export const origins = list.transform((entries, ctx) =>
  entries.filter((entry) => {
    if (URL.canParse(entry) && new URL(entry).origin === entry) return true;
    ctx.addIssue({ code: 'custom', message: `"${entry}" is not <scheme>://<host>[:<port>]` });
    return false;
  }),
);

/** Where to listen; IPv6 addresses are bracketed. */
export const address = z.string().refine(
  (given) => {
    const [, port] = /^(?:\[[\da-fA-F:.]+\]|[^\s:]+):(\d{1,5})$/.exec(given) ?? [];
    return port !== undefined && Number(port) <= 65_535 && isPort(Number(port));
  },
  { error: ({ input }) => `"${String(input)}" is not host:port, with a port from 1024 to 65535 or 0` },
);

/** Nodes by name. */
export const nodes = list.transform((entries, ctx) =>
  entries.flatMap((entry) => {
    const [, id, url] = /^([A-Za-z0-9._-]+)=(https?:\/\/.+)$/.exec(entry) ?? [];
    if (id !== undefined && url !== undefined) return [{ id, url: url.replace(/\/$/, '') }];
    ctx.addIssue({ code: 'custom', message: `"${entry}" is not <node id>=<http url>` });
    return [];
  }),
);

/** Keys that engines want, by where they answer; an entry that is none is not repeated, for it may hold one. */
export const engineKeys = list.transform((entries, ctx) =>
  entries.flatMap((entry, at) => {
    const [, host, key] = /^((?:\[[\da-fA-F:.]+\]|[^\s:=]+):\d{1,5})=(\S+)$/.exec(entry) ?? [];
    if (host !== undefined && key !== undefined) return [{ host, key }];
    ctx.addIssue({ code: 'custom', message: `entry ${at + 1} is not <host>:<port>=<key>` });
    return [];
  }),
);

/** How engines are started again: what is given in JSON, the rest as by default (B-CONFIG-014). */
export const restartPolicy = z
  .string()
  .default('{}')
  .transform((text, ctx) => {
    const refuse = (message: string, path: PropertyKey[] = []): typeof z.NEVER => {
      ctx.addIssue({ code: 'custom', message, path });
      return z.NEVER;
    };
    const wishes = restartWishes.safeParse(jsonIn(text));
    if (!wishes.success) {
      for (const { path, message } of wishes.error.issues) refuse(message, path);
      return z.NEVER;
    }
    const { policy, problems } = withWishes(DEFAULT_RESTART_POLICY, wishes.data);
    for (const { field, problem } of problems) refuse(problem, [field]);
    return policy;
  });

function isPort(given: number): boolean {
  return given === 0 || given >= 1_024;
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
