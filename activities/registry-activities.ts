/** Activities on the registry of nodes: any control worker does them, for it has the database, `ssh` and the keys. */
import { enterNodeActivity } from './registry/enter-node.js';
import { createInstallActivities } from './registry/install-activities.js';
import { noteContactActivity } from './registry/note-contact.js';
import type { RegistryDeps } from './registry/registry-deps.js';
import { visitNodeActivity } from './registry/visit-node.js';

/** Builds the activities. */
export function createRegistryActivities(deps: RegistryDeps) {
  return {
    visitNode: visitNodeActivity(deps),
    enterNode: enterNodeActivity(deps),
    noteContact: noteContactActivity(deps),
    ...createInstallActivities(deps),
  };
}

/** The activities on the registry, as workflows see them. */
export type RegistryActivities = ReturnType<typeof createRegistryActivities>;
