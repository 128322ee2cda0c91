/**
 * Text that ends up in log lines, addresses and file names: what could forge a line, colour a terminal or be read by a
 * shell is refused before anybody sees it, and not repeated (nodes-and-workers 12). Prompts are not of this kind (B-VAL-026).
 */
import { z } from 'zod';

/** Id of something that is looked up, whichever kind of ids it has. */
export const lookupId = (longest: number) =>
  z
    .string()
    .min(1)
    .max(longest)
    .regex(/^[\w.:@-]+$/, 'must be letters, digits, ".", "_", ":", "@" or "-"');

/** One line of printable ASCII, such as a version or the name of a model. */
export const plainText = (longest: number) =>
  z
    .string()
    .min(1)
    .max(longest)
    .regex(/^[\x20-\x7e]+$/, 'must be one line of printable ASCII characters');

/** One line in any script: where a model is on its machine, for instance. Ranges, which clients of the schema can generate from. */
export const oneLine = (longest: number) =>
  z
    .string()
    .min(1)
    .max(longest)
    .regex(/^[ -~\u00a0-\u2027\u202a-\uffff]+$/, 'must be one line without control characters');
