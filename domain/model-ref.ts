/**
 * Model references (B-DP-046): `hf:org/repo[/path]`, `file:path`, `https://…`, `s3://bucket/key`,
 * `oci://registry/repo:tag`, or a name of the catalogue. All of it is ASCII, without control characters and without what a
 * shell reads in names of files (B-VAL-007..011, B-VAL-021).
 */

/** The bundled model's catalogue name. */
export const DEMO_MODEL = 'demo';

/** Means whatever the pool `default` serves. */
export const DEFAULT_MODEL = 'default';

const FORMS: readonly RegExp[] = [
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/,
  /^hf:[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*(\/[\w.-]+)*$/,
  /^file:[\w./ ~+@=,:%#()[\]-]+$/,
  // The characters of an address (RFC 3986); all others come percent-encoded.
  /^https:\/\/[\w.~:[\]@%-]+\/[\w.~:/?#[\]@!$&'()*+,;=%-]+$/,
  /^s3:\/\/[a-z0-9][a-z0-9.-]+\/[\w.~:/@!()+,=%-]+$/,
  /^oci:\/\/[\w.:-]+\/[\w./-]+:[\w.-]+$/,
];

/** True when `ref` is well formed; whether such a model exists is another question (B-DP-047). */
export function isModelRef(ref: string): boolean {
  return FORMS.some((form) => form.test(ref)) && !ref.split(/[/:]/).includes('..');
}

/** What a task or a pool may call a model of the catalogue. */
export function namesOfModel(model: { id: string; local_path: string; source_url: string | null }): string[] {
  const { id, local_path, source_url } = model;
  return [id, `file:${local_path}`, ...(source_url === null ? [] : [source_url])];
}

/** What a pool serves: its own id, the reference it was loaded from, and its catalogue name. */
export interface ServedModel {
  poolId: string;
  modelRef: string;
  modelName: string | null;
}

/** True when `ref` asks for what this pool serves: by name, by reference, or as `default` of the pool `default`. */
export function servesModel(pool: ServedModel, ref: string): boolean {
  if (ref === DEFAULT_MODEL && pool.poolId === 'default') return true;
  return ref === pool.modelRef || (pool.modelName !== null && ref === pool.modelName);
}
