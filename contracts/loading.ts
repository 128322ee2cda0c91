/** A model on its way into memory, as its worker tells it (nodes-and-workers 5). */
import { z } from 'zod';

/** How far it has come. */
export const layersLoaded = z
  .object({
    layers_loaded: z.int().min(0),
    layers_total: z.int().min(1),
    vram_mb: z.number().min(0).meta({ description: 'memory of the GPU that it has taken; 0 on the CPU' }),
  })
  .meta({ id: 'LayersLoaded' });

/** Layers loaded's type. */
export type LayersLoaded = z.infer<typeof layersLoaded>;

/** A frame of the stream; after the last comes `[DONE]`. */
export const loadingFrame = z.discriminatedUnion('stage', [
  z.object({ stage: z.literal('loading_to_vram'), ...layersLoaded.shape }),
  z.object({ stage: z.literal('ready') }),
  z.object({ stage: z.literal('error'), code: z.string(), message: z.string() }),
]);

/** Loading frame's type. */
export type LoadingFrame = z.infer<typeof loadingFrame>;
