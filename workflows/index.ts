/** The door of the workflow bundle: every workflow that a worker can run, by its type's name. */
export { inferTask } from './infer-task.js';
export { preloadPool } from './preload-pool.js';
