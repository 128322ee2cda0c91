/** Models that a node fetches (nodes-and-workers 3): what is asked for, how far it is, what readers of the progress get. */
import { z } from 'zod';
import { errorEnvelope } from './errors.js';
import { modelDigest } from './model.js';

/** One file of a model, and where it is fetched from. */
export interface ModelFile {
  /** Below the model's folder; of a model that is one file, its name. */
  path: string;
  from:
    | /** `by: 'hf'`: the node's own token goes with the request. */ { url: string; by: 'hf' | null }
    | { bucket: string; key: string };
  size_bytes: number | null;
  /** Hex. */
  sha256: string | null;
}

/** What is fetched for whom. */
export interface ProvisionInput {
  node_id: string;
  correlation_id: string;
  /** Its name in the catalogue and the model cache. */
  model_id: string;
  model_ref: string;
  /** `sha256:<hex>` that a model of one file must have; null where nobody has said one. */
  digest: string | null;
}

/** A model that is on the node's disk. */
export const presentModel = z.object({
  model_id: z.string(),
  model_ref: z.string(),
  local_path: z.string(),
  size_bytes: z.int(),
  digest: z.string().nullable(),
  /** What its header says of the numbers in it; null for what is no GGUF file. */
  quantization: z.string().nullable(),
});

/** Present model's type. */
export type PresentModel = z.infer<typeof presentModel>;

/** What a download answers at its end. */
export const provisionResult = presentModel.extend({
  fetched: z.boolean().meta({ description: 'false: it was there already' }),
});

/** Its type. */
export type ProvisionResult = z.infer<typeof provisionResult>;

/** What the node found out before the first byte. */
export interface ModelPlan {
  /** The model, where it is on the disk already. */
  present: PresentModel | null;
  /** What must be fetched. */
  files: ModelFile[];
  /** True where the model is a folder, however few its files. */
  is_folder: boolean;
}

/** A file that has been fetched whole. */
export interface FetchedFile {
  path: string;
  size_bytes: number;
  sha256: string;
}

/** What a node tells while it fetches a file. */
export const fetchBeat = z.object({
  bytes: z.int(),
  total_bytes: z.int().nullable(),
  bytes_per_second: z.int(),
});

/** Its type. */
export type FetchBeat = z.infer<typeof fetchBeat>;

const downloadState = z.enum(['planning', 'downloading', 'paused', 'publishing']);

/** How far the workflow is; what runs now is told by the node's beats. */
export interface ProvisionView {
  state: z.infer<typeof downloadState>;
  model_id: string;
  model_ref: string;
  node_id: string;
  digest: string | null;
  files_done: number;
  files_total: number;
  /** Of the files that are whole. */
  bytes_whole: number;
  /** Of the file that is being fetched, as far as the last attempt came. */
  bytes_part: number;
  /** Of all files; null while somebody has not said how large his are. */
  bytes_total: number | null;
  attempt: number;
  last_error: string | null;
}

/** Body of `POST /v2/catalog/downloads`. */
export const downloadRequest = z
  .object({
    model_ref: z.string().max(2048).meta({
      description: '`hf:org/repo[/file]`, `https://…`, `s3://bucket/key`, or a model of the catalogue',
    }),
    node_id: z
      .string()
      .max(128)
      .optional()
      .meta({ description: 'without it the node with the fewest pools' }),
    digest: modelDigest
      .refine((digest) => digest.startsWith('sha256:'), 'must be a SHA-256')
      .optional()
      .meta({ description: 'what the file must be; without it what the catalogue or the server says' }),
    wait_ms: z.int().min(0).max(60_000).default(0).meta({ description: 'how long to wait for the end' }),
  })
  .meta({ id: 'DownloadRequest' });

/** Body of `POST /v1/models/download`. */
export const downloadAsk = downloadRequest.omit({ wait_ms: true }).meta({ id: 'DownloadAsk' });

/** Body of its answer. */
export const downloadAnswer = z
  .object({
    download_id: z.string(),
    local_path: z.string().optional().meta({ description: 'of a model that is there already' }),
  })
  .meta({ id: 'DownloadAnswer' });

/** How a download stands. */
export const download = z
  .object({
    download_id: z.string(),
    model_id: z.string(),
    model_ref: z.string(),
    node_id: z.string(),
    status: z.enum(['running', 'paused', 'completed', 'failed', 'cancelled']),
    state: downloadState.nullable().meta({ description: 'what it does now; null when it has ended' }),
    bytes_downloaded: z.int(),
    bytes_total: z.int().nullable().meta({ description: 'null while nobody has said' }),
    bytes_per_second: z.int(),
    eta_ms: z.int().nullable(),
    files_done: z.int(),
    files_total: z.int(),
    attempt: z.int(),
    last_error: z.string().nullable().meta({ description: 'why the attempt before this one failed' }),
    local_path: z.string().nullable(),
    digest: z.string().nullable(),
    error: errorEnvelope.pick({ code: true, message: true }).nullable(),
  })
  .meta({ id: 'Download' });

/** Its type. */
export type Download = z.infer<typeof download>;

/** One frame of `GET /v1/models/download/progress`; after the last of them comes `[DONE]`. */
export const downloadFrame = z
  .discriminatedUnion('stage', [
    z.object({
      stage: z.literal('downloading'),
      bytes_downloaded: z.int(),
      bytes_total: z.int().nullable(),
      speed_mbps: z.number().meta({ description: 'megabits per second' }),
      eta_ms: z.int().nullable(),
      paused: z.boolean(),
    }),
    z.object({ stage: z.literal('complete'), local_path: z.string(), digest: z.string().nullable() }),
    z.object({ stage: z.literal('error'), code: z.string(), message: z.string() }),
  ])
  .meta({ id: 'DownloadFrame' });

/** Its type. */
export type DownloadFrame = z.infer<typeof downloadFrame>;
