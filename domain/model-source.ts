/** Where the files of a model come from (nodes-and-workers 3): what a reference means, and what its copy here is called. */
import { isModelRef } from './model-ref.js';

/** What a reference points at. */
export type ModelSource =
  | { kind: 'hf'; repo: string; path: string | null }
  | { kind: 'https'; url: string }
  | { kind: 's3'; bucket: string; key: string }
  | { kind: 'file'; path: string };

/** The branch of a repository that a reference without one means. */
export const HF_BRANCH = 'main';

/** Longest name of a copy: it may have `.part` and the like added, and file systems take 255 bytes. */
const LONGEST_ID = 100;
const LONGEST_KEYWORD = 255;
/** Extensions that engines tell a model's form by. */
const EXTENSION = /\.[A-Za-z0-9]{1,16}$/;

/**
 * A reference as it may be given: `provider:reference`, split at the first `:`; one without a provider means Hugging Face
 * where it reads `org/repo[/file]` (B-MODEL-005).
 * @returns undefined where it is no reference of a model that could be fetched
 */
export function readReference(given: string): string | undefined {
  const ref = /^[^:/\s]+\/[^:\s]+$/.test(given) ? `hf:${given}` : given;
  return ref.includes(':') && isModelRef(ref) ? ref : undefined;
}

/** What the reference points at; undefined for a name of the catalogue, and for what nobody here fetches (`oci:`). */
export function sourceOf(ref: string): ModelSource | undefined {
  if (!isModelRef(ref)) return undefined;
  const [scheme, rest] = splitAtColon(ref);
  if (scheme === 'hf') {
    const [org, repo, ...path] = rest.split('/');
    return { kind: 'hf', repo: `${org}/${repo}`, path: path.length === 0 ? null : path.join('/') };
  }
  if (scheme === 'https') return { kind: 'https', url: ref };
  if (scheme === 'file') return rest.startsWith('/') ? { kind: 'file', path: rest } : undefined;
  const [, bucket, key] = /^\/\/([^/]+)\/(.+)$/.exec(rest) ?? [];
  if (scheme !== 's3' || bucket === undefined || key === undefined) return undefined;
  return { kind: 's3', bucket, key };
}

/** Who a model may come from: what stands before the first `:` of its reference (B-MODEL-005). */
export const PROVIDERS = ['hf', 'https', 's3', 'file', 'oci'] as const;

/** Provider. */
export type Provider = (typeof PROVIDERS)[number];

/** Who the model of this reference comes from; undefined where nobody has said. */
export function providerOf(ref: string | null): Provider | undefined {
  const [named] = ref === null ? [undefined] : splitAtColon(ref);
  return PROVIDERS.find((provider) => provider === named);
}

/** True where a model must be fetched before an engine can read it. */
export function mustBeFetched(ref: string): boolean {
  const source = sourceOf(ref);
  return source !== undefined && source.kind !== 'file';
}

/**
 * Whether models may be fetched from there (B-CFG-024).
 * @param allowed - `hf`, `hf:org`, `hf:org/repo`, `s3`, `s3://bucket` and names of hosts; null allows everything, an empty list nothing
 */
export function isAllowedSource(source: ModelSource, allowed: readonly string[] | null): boolean {
  return allowed === null || source.kind === 'file' || namesOf(source).some((name) => allowed.includes(name));
}

function namesOf(source: Exclude<ModelSource, { kind: 'file' }>): string[] {
  if (source.kind === 'https') return [new URL(source.url).hostname];
  if (source.kind === 's3') return ['s3', `s3://${source.bucket}`];
  return ['hf', `hf:${source.repo.split('/')[0] ?? ''}`, `hf:${source.repo}`];
}

/** The reference without what a signed address adds to it, which is as good as a key: for logs and the catalogue. */
export function shownRef(ref: string): string {
  return ref.replace(/[?#].*$/s, '');
}

/** As much of it as Temporal's index takes. */
export function indexedRef(ref: string): string {
  return shownRef(ref).slice(0, LONGEST_KEYWORD);
}

/**
 * What the copy of a referenced model is called in the catalogue and the model cache: readable, always the same for the same
 * reference, and another for another (C-178).
 */
export function modelIdOf(ref: string): string {
  const [, rest] = splitAtColon(shownRef(ref));
  const readable = rest
    .replace(/^\/+/, '')
    .replaceAll('/', '--')
    .replace(/[^A-Za-z0-9._-]/g, '-')
    .replace(/\.{2,}/g, '.')
    .replace(/^[^A-Za-z0-9]+/, '');
  const extension = EXTENSION.exec(readable)?.[0] ?? '';
  const stem = readable.slice(0, readable.length - extension.length);
  const hash = hashOf(ref);
  return `${stem.slice(-(LONGEST_ID - extension.length - hash.length - 1)).replace(/^[^A-Za-z0-9]+/, '')}-${hash}${extension}`;
}

/** Address of a repository's file at a branch or commit. */
export function hfFileUrl(endpoint: string, repo: string, revision: string, path: string): string {
  return `${endpoint}/${encoded(repo)}/resolve/${encodeURIComponent(revision)}/${encoded(path)}`;
}

/** Address that tells a repository's commit and its files with their sizes and digests. */
export function hfRepoUrl(endpoint: string, repo: string): string {
  return `${endpoint}/api/models/${encoded(repo)}/revision/${HF_BRANCH}?blobs=true`;
}

/** True for a path of a repository that stays in the folder of its model. */
export function isInnerPath(path: string): boolean {
  const parts = path.split('/');
  return (
    path.length <= 512 && parts.every((part) => /^[^\0\\]+$/.test(part) && part !== '.' && part !== '..')
  );
}

/**
 * Whether an address may be asked: by HTTPS, on this machine, or where the operator's settings point.
 * @param trusted - addresses of the settings
 */
export function mayBeAsked(url: URL, trusted: readonly string[]): boolean {
  if (url.protocol === 'https:') return true;
  if (url.protocol !== 'http:') return false;
  if (trusted.some((address) => new URL(address).origin === url.origin)) return true;
  return url.hostname === 'localhost' || url.hostname === '[::1]' || url.hostname.startsWith('127.');
}

function splitAtColon(text: string): [string, string] {
  const at = text.indexOf(':');
  return [text.slice(0, at), text.slice(at + 1)];
}

function encoded(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

/** Tells references apart, and need not withstand anybody (FNV-1a, 32 bits). */
function hashOf(text: string): string {
  let hash = 0x811c9dc5;
  for (const char of text) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}
