/** The tables as queries see them; `migrations/` makes them. Times are milliseconds, JSON stands in text. */

/** A document by the digest of what it says. */
export interface ArtifactTable {
  id: string;
  kind: string;
  /** JSON: strings. */
  tags: string;
  size_bytes: number;
  created_ms: number;
  /** When it was last stored: its age counts from here. */
  stored_ms: number;
  /** The sealed document; null where it stands in a file. */
  content: Buffer | null;
}

/** Which artifact is a task's transcript. */
export interface TranscriptTable {
  task_id: string;
  artifact_id: string;
}

/** All tables. */
export interface Tables {
  artifacts: ArtifactTable;
  transcripts: TranscriptTable;
}
