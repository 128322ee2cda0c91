/** What an API answers when it is told to read the configuration file again. */
import { z } from 'zod';

/** Body of `POST /v2/config/reload`: how the pools of the file stand to those of the file before. */
export const configReload = z
  .object({
    file: z.string(),
    pools: z.array(
      z.object({
        pool_id: z.string(),
        change: z.enum(['added', 'changed', 'removed', 'unchanged']).meta({
          description:
            'added pools are preloaded, changed ones reloaded, removed ones drained; the rest is left alone',
        }),
      }),
    ),
  })
  .meta({ id: 'ConfigReload' });

/** Config reload's type. */
export type ConfigReload = z.infer<typeof configReload>;
