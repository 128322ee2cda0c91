/** Names that settings have in configurations for the contract's own implementation. */

const ALIASES: Record<string, string> = {
  ORCHD_POOLS_CONFIG: 'DROVER_CONFIG',
  ORCHD_ADMISSION_CAPACITY: 'DROVER_ADMISSION_CAPACITY',
  ORCHD_SSE_HEARTBEAT_MS: 'DROVER_SSE_HEARTBEAT_MS',
  ORCHD_LLAMACPP_URL: 'DROVER_LLAMACPP_URL',
  ORCHD_LLAMACPP_POOL: 'DROVER_LLAMACPP_POOL',
  ORCHD_LLAMACPP_REPLICA: 'DROVER_LLAMACPP_REPLICA',
  LLORCH_WORKER_BINARY: 'DROVER_ENGINE_BINARY',
};

/** The environment with each alias under the setting's own name, which wins where both are given. */
export function withoutAliases(env: Record<string, string | undefined>): Record<string, string | undefined> {
  const renamed = Object.entries(ALIASES).flatMap(([alias, name]) => {
    const value = env[alias];
    return value === undefined || value === '' ? [] : [[name, value] as const];
  });
  const own = Object.entries(env).filter(([, value]) => value !== undefined && value !== '');
  return Object.fromEntries([...renamed, ...own]);
}
