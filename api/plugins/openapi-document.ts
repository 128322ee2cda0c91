/** The last touches of the API's description: what every answer has in common is said once, what nobody refers to goes. */
import { STATUS_CODES } from 'node:http';

/** As much of an OpenAPI document as is touched here. */
export interface OpenApiDocument {
  paths?: Record<string, Record<string, unknown> | undefined>;
  components?: { schemas?: Record<string, unknown>; headers?: Record<string, unknown> };
}

interface ResponseObject {
  description?: string;
  headers?: Record<string, unknown>;
}

const SCHEMAS = '#/components/schemas/';
/** Ending of what the library calls a schema as requests have it, where a default makes a field optional. */
const AS_SENT = 'Input';

const HEADERS = {
  'X-Correlation-Id': {
    description: 'the id that the request brought, or a new one',
    schema: { type: 'string' },
  },
  'Retry-After': { description: 'seconds until another try may help', schema: { type: 'integer' } },
  'X-Backoff-Ms': { description: 'the same in milliseconds', schema: { type: 'integer' } },
  'WWW-Authenticate': { description: 'how to send a key', schema: { type: 'string' } },
};

const MEANINGS: Record<string, string> = {
  200: 'Done',
  202: 'Accepted',
  400: 'The request is not valid; `details` names every offending field',
  401: 'No key, or a bearer token that is not accepted',
  403: 'An `X-API-Key` that is not accepted, a key whose role may not do this, or a foreign `Host` on loopback',
  404: 'Unknown id, or a model that no pool serves',
  409: 'Something else is on record under this id',
  414: 'The id in the address is too long',
  429: 'The queue is full, the key has asked too often, or the client sends one invalid request after another',
  503: 'Not now: a pool, its node or Temporal is away',
};

/**
 * Tidies the document that the routes' schemas made.
 * @param alwaysKept - schemas that no route refers to, yet readers need
 */
export function tidyDocument<D extends OpenApiDocument>(document: D, alwaysKept: readonly string[]): D {
  describeLongAddresses(document);
  for (const [status, response] of responsesOf(document)) {
    if (response.description === 'Default Response') {
      response.description = MEANINGS[status] ?? STATUS_CODES[status] ?? status;
    }
    response.headers = { ...response.headers, ...headersOf(status) };
  }
  const schemas = document.components?.schemas ?? {};
  const used = reachedFrom(
    [document.paths, ...alwaysKept.map((name) => ({ $ref: SCHEMAS + name }))],
    schemas,
  );
  const names = new Map([...used].map((name) => [name, knownName(name, used, schemas)]));
  const kept = [...used].map((name) => [names.get(name) ?? name, schemas[name]] as const);
  kept.sort(([a], [b]) => (a < b ? -1 : 1));
  const components = { ...document.components, schemas: Object.fromEntries(kept), headers: HEADERS };
  return renameReferences({ ...document, components }, names) as D;
}

/** An id may be longer than any that there is; on every route it is refused with the body of the others' refusals. */
function describeLongAddresses({ paths }: OpenApiDocument): void {
  for (const [path, operations] of Object.entries(paths ?? {})) {
    if (!path.includes('{')) continue;
    for (const operation of Object.values(operations ?? {})) {
      const { responses } = operation as { responses?: Record<string, ResponseObject> };
      const refusal = responses?.['404'] ?? responses?.['400'];
      if (responses !== undefined && refusal !== undefined) responses['414'] = { ...refusal };
    }
  }
}

function responsesOf({ paths }: OpenApiDocument): [string, ResponseObject][] {
  const operations = Object.values(paths ?? {}).flatMap((path) => Object.values(path ?? {}));
  return operations.flatMap((operation) => {
    const { responses } = operation as { responses?: Record<string, ResponseObject> };
    return Object.entries(responses ?? {});
  });
}

function headersOf(status: string): Record<string, { $ref: string }> {
  const names = ['X-Correlation-Id'];
  if (status === '429' || status === '503') names.push('Retry-After');
  if (status === '429') names.push('X-Backoff-Ms');
  if (status === '401') names.push('WWW-Authenticate');
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}

/** A schema that only requests use, or that is the same in answers, needs no name of its own. */
function knownName(name: string, used: ReadonlySet<string>, schemas: Record<string, unknown>): string {
  if (!name.endsWith(AS_SENT)) return name;
  const known = name.slice(0, -AS_SENT.length);
  const isSame = JSON.stringify(schemas[name]) === JSON.stringify(schemas[known]);
  return isSame || !used.has(known) ? known : name;
}

/** Names of the schemas that `parts` refer to, directly or through others. */
function reachedFrom(parts: readonly unknown[], schemas: Record<string, unknown>): Set<string> {
  const reached = new Set<string>();
  const visit = (part: unknown): void => {
    for (const name of referencesIn(part)) {
      if (reached.has(name)) continue;
      reached.add(name);
      visit(schemas[name]);
    }
  };
  parts.forEach(visit);
  return reached;
}

function referencesIn(part: unknown): string[] {
  if (typeof part !== 'object' || part === null) return [];
  return Object.entries(part).flatMap(([key, value]) =>
    key === '$ref' && typeof value === 'string' && value.startsWith(SCHEMAS)
      ? [value.slice(SCHEMAS.length)]
      : referencesIn(value),
  );
}

function renameReferences(part: unknown, names: ReadonlyMap<string, string>): unknown {
  if (Array.isArray(part)) return part.map((element) => renameReferences(element, names));
  if (typeof part !== 'object' || part === null) return part;
  const entries = Object.entries(part).map(([key, value]) => {
    const name = key === '$ref' && typeof value === 'string' ? value.replace(SCHEMAS, '') : '';
    return [key, names.has(name) ? `${SCHEMAS}${names.get(name) ?? name}` : renameReferences(value, names)];
  });
  return Object.fromEntries(entries) as unknown;
}
