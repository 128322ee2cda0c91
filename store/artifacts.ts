/**
 * Artifacts by the digest of their canonical JSON: the same content is the same artifact, however often it is stored and
 * by whom. Content stands in the database, where every API reads it at once, or in files where a folder is named;
 * then the database is the second place to look.
 */
import { createHash } from 'node:crypto';
import type { Kysely } from 'kysely';
import {
  artifactKind,
  type ArtifactEntry,
  type ArtifactLabels,
  type Transcript,
} from '../contracts/artifact.js';
import { canonicalJson } from '../domain/canonical-json.js';
import type { ArtifactFiles } from './artifact-files.js';
import { openText, sealText, type Seal } from './sealed-text.js';
import { inStore } from './store-away.js';
import type { ArtifactTable, Tables } from './tables.js';

/** What artifacts are kept with. */
export interface ArtifactsDeps {
  db: Kysely<Tables>;
  seal: Seal;
  /** Without it content stands in the database. */
  files?: ArtifactFiles | undefined;
  now: () => number;
}

/** The artifacts. Every call fails with STORE_UNAVAILABLE while the database is away. */
export interface Artifacts {
  put: (document: unknown, labels: ArtifactLabels) => Promise<ArtifactEntry>;
  /** The document's JSON text as it was stored first; undefined where there is none. */
  get: (id: string) => Promise<string | undefined>;
  /** Stores a task's transcript and notes that it is this task's; returns its id. */
  keepTranscript: (taskId: string, transcript: Transcript) => Promise<string>;
  /** Id of the task's transcript, once it is stored. */
  transcriptOf: (taskId: string) => Promise<string | undefined>;
}

const TRANSCRIPT: ArtifactLabels = { kind: 'transcript', tags: [] };

/** The artifacts of a database. */
export function createArtifacts({ db, seal, files, now }: ArtifactsDeps): Artifacts {
  async function insert(document: unknown, { kind, tags }: ArtifactLabels): Promise<ArtifactEntry> {
    const id = artifactId(document);
    const text = JSON.stringify(document);
    const content = sealText(text, seal);
    const [created_ms, stored_ms] = [now(), now()];
    const row = { id, kind, tags: JSON.stringify(tags), size_bytes: content.length, created_ms, stored_ms };
    const kept = await db
      .insertInto('artifacts')
      .values({ ...row, content: files === undefined ? content : null })
      .onConflict((conflict) => conflict.column('id').doUpdateSet({ stored_ms }))
      .returning(['id', 'kind', 'tags', 'created_ms'])
      .executeTakeFirstOrThrow();
    // After the row: whoever collects it in between leaves a file that is written again.
    await files?.write(id, content);
    return entryOf(kept);
  }

  return {
    put: (document, labels) => inStore(() => insert(document, labels)),
    get: (id) =>
      inStore(async () => {
        const content = (await files?.read(id)) ?? (await contentInDatabase(id));
        return content === undefined ? undefined : openText(content, seal);
      }),
    keepTranscript: (task_id, transcript) =>
      inStore(async () => {
        const { id: artifact_id } = await insert(transcript, TRANSCRIPT);
        await db
          .insertInto('transcripts')
          .values({ task_id, artifact_id })
          .onConflict((conflict) => conflict.column('task_id').doUpdateSet({ artifact_id }))
          .execute();
        return artifact_id;
      }),
    transcriptOf: (taskId) =>
      inStore(async () => {
        const query = db.selectFrom('transcripts').select('artifact_id').where('task_id', '=', taskId);
        return (await query.executeTakeFirst())?.artifact_id;
      }),
  };

  async function contentInDatabase(id: string): Promise<Buffer | undefined> {
    const query = db.selectFrom('artifacts').select('content').where('id', '=', id);
    return (await query.executeTakeFirst())?.content ?? undefined;
  }
}

/** SHA-256 of the canonical JSON, 64 lower-case hex characters (B-ART-022, C-128). */
export function artifactId(document: unknown): string {
  return createHash('sha256').update(canonicalJson(document)).digest('hex');
}

function entryOf(row: Pick<ArtifactTable, 'id' | 'kind' | 'tags' | 'created_ms'>): ArtifactEntry {
  const { id, created_ms } = row;
  const tags = JSON.parse(row.tags) as string[];
  return { id, kind: artifactKind.parse(row.kind), digest: `sha256:${id}`, created_ms, tags };
}
