/** Flags of llama.cpp by the one name that its own help gives them, whatever a configuration calls them. */

/** Older names, and those of other front ends (B-PROV-007). */
const LEGACY: Record<string, string> = {
  '-ngl': '--n-gpu-layers',
  '--ngl': '--n-gpu-layers',
  '--gpu-layers': '--n-gpu-layers',
};

/** The launch with its flags' legacy names translated; their values and their order stay, other engines' flags too. */
export function withKnownFlags<T extends { engine: string; flags: string[] }>(launch: T): T {
  if (launch.engine !== 'llamacpp') return launch;
  const flags = launch.flags.map((flag) => {
    const [name = '', ...value] = flag.split('=');
    const known = LEGACY[name];
    return known === undefined ? flag : [known, ...value].join('=');
  });
  return { ...launch, flags };
}
