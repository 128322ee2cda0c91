/** A node worker as it registers and reports. */
import type { NodeRegistration, ReportedPool } from '../../contracts/node-service.js';

/** A node of the version that the API under test has. */
export function newTestNode(changes: Partial<NodeRegistration> = {}): NodeRegistration {
  const gpu = { device_id: '0', name: 'a GPU', vram_total_bytes: 8_000, compute_capability: '9.0' };
  return {
    ...{ node_id: 'gpu-1', machine_id: 'm-1', address: 'http://gpu-1.lab:9200', version: '9.9.9' },
    ...{ pools: ['default'], capabilities: { gpus: [gpu], cpu_cores: 8, ram_total_bytes: 64_000 } },
    ...changes,
  };
}

/** A pool that is ready. */
export function reportedPool(changes: Partial<ReportedPool> = {}): ReportedPool {
  return {
    ...{ pool_id: 'default', ready: true, draining: false, slots_free: 3, slots_total: 4 },
    ...{ vram_free_bytes: 4_000, engine: 'llamacpp', models_available: ['demo', 'file:/m/demo.gguf'] },
    ...changes,
  };
}
