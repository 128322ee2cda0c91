/** Artifacts as a client finds them: stored, read, and the transcripts of tasks. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { artifactEntry } from '../../contracts/artifact.js';
import { canonicalJson } from '../../domain/canonical-json.js';
import { eventually } from '../../testing/changes.js';
import type { SseFrame } from './event-reader.js';
import type { DroverWorld } from './world.js';

const transcript = z.strictObject({
  events: z.array(z.strictObject({ type: z.string(), data: z.record(z.string(), z.unknown()) })),
});

/** A transcript and the id that it was found by. */
export interface FoundTranscript {
  id: string;
  document: unknown;
  events: { type: string; data: Record<string, unknown> }[];
}

/** Posts a document as an artifact; the answer is the scenario's last one. */
export async function storeArtifact({ http }: DroverWorld, text: string): Promise<void> {
  await http.send('POST', '/v2/artifacts', { body: text, headers: { 'content-type': 'application/json' } });
}

/** What the last answer says of the artifact that it stored. */
export function storedArtifact({ http }: DroverWorld) {
  return artifactEntry.parse(http.lookAt().json);
}

/** SHA-256 of the canonical JSON, computed here. */
export function digestOfJson(document: unknown): string {
  return createHash('sha256').update(canonicalJson(document)).digest('hex');
}

/** Waits until the task names a transcript, and reads it from the newest API. */
export async function awaitTranscript(world: DroverWorld, task: string): Promise<FoundTranscript> {
  const id = await eventually(
    () => `"${task}" to have a transcript`,
    async () => (await world.tasks.status(task)).transcript_artifact_id ?? undefined,
  );
  const answer = await world.client.request('GET', `/v2/artifacts/${id}`);
  if (answer.status !== 200) throw new Error(`artifact ${id}: ${answer.status} ${answer.text}`);
  return { id, document: answer.json, ...transcript.parse(answer.json) };
}

/** Frames as a transcript has them. */
export function asEvents(frames: readonly SseFrame[]): FoundTranscript['events'] {
  return frames.map(({ event, data }) => ({ type: event, data }));
}

/** Waits until the node itself, which no API asks now, calls the run ended. */
export async function awaitRunEnd({ stack, tasks }: DroverWorld, task: string): Promise<void> {
  const ended = z.object({ ended: z.boolean() });
  await eventually(
    () => `the run of "${task}" to end`,
    async () => (ended.parse(await stack.askNode(`/runs/${tasks.of(task).id}`)).ended ? true : undefined),
  );
}
