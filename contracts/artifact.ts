/** Artifacts: JSON documents by the digest of what they say (control-plane 7), and the transcript, which is one. */
import { z } from 'zod';
import type { Frame } from './events.js';

/** What a document is for; one that does not say is `other` (B-ART-005). */
export const artifactKind = z.enum(['plan', 'summary', 'diff', 'trace', 'transcript', 'logs', 'other']);

/** What of a posted document is read: the rest is the client's own. */
export const artifactLabels = z.object({
  kind: artifactKind.default('other'),
  tags: z.array(z.string().max(256)).max(64).default([]),
});

/** Artifact labels' type. */
export type ArtifactLabels = z.infer<typeof artifactLabels>;

/** Body of the 201 of `POST /v2/artifacts`. */
export const artifactEntry = z
  .object({
    id: z.string().meta({ description: 'SHA-256 of the canonical JSON, 64 hex characters' }),
    kind: artifactKind,
    digest: z.string().meta({ description: '`sha256:` and the id' }),
    created_ms: z.int(),
    tags: z.array(z.string()),
  })
  .meta({ id: 'Artifact' });

/** Artifact entry's type. */
export type ArtifactEntry = z.infer<typeof artifactEntry>;

/** Every frame of a task's stream, in order (B-STR-031). */
export interface Transcript {
  events: Pick<Frame, 'type' | 'data'>[];
}
