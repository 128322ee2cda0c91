/** The door of the workflow bundle: every workflow that a worker can run, by its type's name. */
export { addNode } from './add-node.js';
export { checkNode } from './check-node.js';
export { drainPool } from './drain-pool.js';
export { inferTask } from './infer-task.js';
export { installNode } from './install-node.js';
export { preloadPool } from './preload-pool.js';
export { provisionModel } from './provision-model.js';
export { purgePool } from './purge-pool.js';
export { reloadPool } from './reload-pool.js';
export { supervisePool } from './supervise-pool.js';
