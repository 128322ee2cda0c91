/** What one scenario has for itself, made when it is first asked for. */
import type { DroverWorld } from './world.js';

/** The thing of a scenario, always the same one; it goes with the scenario's world. */
export function perScenario<T>(make: (world: DroverWorld) => T): (world: DroverWorld) => T {
  const known = new WeakMap<DroverWorld, T>();
  return (world) => {
    const own = known.get(world) ?? make(world);
    known.set(world, own);
    return own;
  };
}
