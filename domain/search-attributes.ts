/**
 * The custom search attributes of our workflows: how an operator finds a task or a pool's operation in Temporal's UI
 * without a key, since attributes are not sealed. `npm start` registers them; elsewhere a missing one stops the start.
 */

/** Types as Temporal's command line spells them. */
export type SearchAttributeKind = 'Keyword' | 'Int' | 'Datetime';

/** Every attribute and its type. A name is never given another type: Temporal refuses that for a live namespace. */
export const SEARCH_ATTRIBUTES = {
  PoolId: 'Keyword',
  NodeId: 'Keyword',
  Engine: 'Keyword',
  ModelRef: 'Keyword',
  TaskState: 'Keyword',
  StopReason: 'Keyword',
  CorrelationId: 'Keyword',
  TokensOut: 'Int',
  FirstTokenAt: 'Datetime',
  EndedAt: 'Datetime',
} as const satisfies Record<string, SearchAttributeKind>;

/** Name of one of our attributes. */
export type SearchAttributeName = keyof typeof SEARCH_ATTRIBUTES;

/** The attributes that a namespace lacks, in the order of the table. */
export function missingSearchAttributes(registered: Iterable<string>): SearchAttributeName[] {
  const known = new Set(registered);
  return (Object.keys(SEARCH_ATTRIBUTES) as SearchAttributeName[]).filter((name) => !known.has(name));
}

/** What an operator types to register them; one line. */
export function registerCommand(namespace: string, names: readonly SearchAttributeName[]): string {
  const flags = names.map((name) => `--name ${name} --type ${SEARCH_ATTRIBUTES[name]}`);
  return `temporal operator search-attribute create --namespace ${namespace} ${flags.join(' ')}`;
}
