/** How far the models are that this node fetches now, for those who wait for one; the metrics are told as before. */
import type { FetchEnd, ModelMetrics } from '../../activities/deps.js';
import type { Fetched } from './preparation.js';

/** Remembers what the metrics are told. */
export class DownloadProgress implements ModelMetrics {
  private readonly models = new Map<string, Fetched>();

  constructor(private readonly metrics: ModelMetrics) {}

  /** Undefined while nothing of the model is fetched. */
  of(modelId: string): Fetched | undefined {
    return this.models.get(modelId);
  }

  progress(modelId: string, bytes: number, totalBytes: number | null): void {
    this.models.set(modelId, { bytes, totalBytes });
    this.metrics.progress(modelId, bytes, totalBytes);
  }

  ended(modelId: string, end: FetchEnd): void {
    this.models.delete(modelId);
    this.metrics.ended(modelId, end);
  }
}
