/** What a launch says of its model, and how another model, or one that was fetched for it, comes into it. */
import { mustBeFetched } from './model-source.js';

/** What a launch says of its model. */
export interface ModelBinding {
  model_path: string;
  model_ref: string;
  model_name: string | null;
  flags: string[];
}

const FILE = 'file:';

/** Stands, in a launch whose model has to be fetched first, for where the model will be. */
export const MODEL_PLACE = '{model_path}';

/** True while the launch's model has yet to be fetched. */
export function isUnfetched({ model_path }: Pick<ModelBinding, 'model_path'>): boolean {
  return model_path === MODEL_PLACE;
}

/** Why a launch cannot be told later where its model is; undefined when it can, or knows it already. */
export function placeProblem(
  launch: Pick<ModelBinding, 'model_path' | 'model_ref' | 'flags'> & { env: Record<string, string> },
): { field: 'model_path' | 'flags'; problem: string } | undefined {
  if (!isUnfetched(launch)) return undefined;
  if (!mustBeFetched(launch.model_ref))
    return {
      field: 'model_path',
      problem: `may be ${MODEL_PLACE} only where model_ref is hf:, https: or s3:`,
    };
  const isTold = [...launch.flags, ...Object.values(launch.env)].some((text) => text.includes(MODEL_PLACE));
  return isTold
    ? undefined
    : { field: 'flags', problem: `must say ${MODEL_PLACE} where the engine is told its model` };
}

/** The launch with its model where it was fetched to. */
export function withFetchedModel<
  T extends Pick<ModelBinding, 'model_path' | 'flags'> & { env: Record<string, string> },
>(launch: T, path: string): T {
  const told = (text: string) => text.replaceAll(MODEL_PLACE, () => path);
  const env = Object.fromEntries(Object.entries(launch.env).map(([name, value]) => [name, told(value)]));
  return { ...launch, model_path: path, flags: launch.flags.map(told), env };
}

/** The file that a reference names; undefined where a model would have to be fetched first. */
export function modelFileOf(modelRef: string): string | undefined {
  const path = modelRef.slice(FILE.length);
  return modelRef.startsWith(FILE) && path.startsWith('/') ? path : undefined;
}

/** The launch with the model of a file, in its flags too. The same model leaves it as it is (B-RELOAD-010). */
export function withModel<T extends ModelBinding>(launch: T, modelRef: string, path: string): T {
  if (path === launch.model_path) return launch;
  const flags = launch.flags.map((flag) => {
    if (flag === launch.model_path) return path;
    return flag.endsWith(`=${launch.model_path}`) ? flag.slice(0, -launch.model_path.length) + path : flag;
  });
  return { ...launch, flags, model_path: path, model_ref: modelRef, model_name: null };
}
