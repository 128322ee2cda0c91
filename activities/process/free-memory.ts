/** How much memory a new process could have. */
import { freemem } from 'node:os';

/** Memory that can be had without swapping, a container's limit included where Node knows it (from 20.13). */
export function freeMemoryBytes(): number {
  const { availableMemory } = process as { availableMemory?: () => number };
  return availableMemory?.() ?? freemem();
}
