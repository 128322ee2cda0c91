/** What a reload starts: the launch that serves, with another model. */

/** What a launch says of its model. */
export interface ModelBinding {
  model_path: string;
  model_ref: string;
  model_name: string | null;
  flags: string[];
}

const FILE = 'file:';

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
