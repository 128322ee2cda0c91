/** A stream of events in the schemas of routes. */
import { z } from 'zod';

/** Content of an answer that is one: OpenAPI 3.1 has no words for a single event of it. */
export const eventStream = {
  'text/event-stream': {
    schema: z.unknown().meta({ description: 'server-sent events, one after the other' }),
  },
};
