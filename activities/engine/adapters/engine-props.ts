/** What engines tell of themselves beside their health: slots and version (B-AD-001). Each has its own words for it, or none. */
import type { EngineHttp } from './engine-http.js';

/** What an engine says of itself; null where engines of its kind have no words for it, or it does not answer. */
export interface EngineProps {
  slots_total: number | null;
  slots_free: number | null;
  engine_version: string | null;
}

/** Says nothing of itself: any server in OpenAI's words. */
export const NO_PROPS: EngineProps = { slots_total: null, slots_free: null, engine_version: null };

/** llama-server's `/props` and, where it was not started with `--no-slots`, `/slots`. */
export async function llamacppProps(http: EngineHttp, signal: AbortSignal): Promise<EngineProps> {
  interface Slot {
    is_processing?: boolean;
  }
  const [props, slots] = await Promise.all([
    told<{ total_slots?: number; build_info?: string }>(http, '/props', signal),
    told<Slot[]>(http, '/slots', signal),
  ]);
  const free = Array.isArray(slots) ? slots.filter((slot) => slot.is_processing !== true).length : null;
  return {
    slots_total: props?.total_slots ?? null,
    slots_free: free,
    engine_version: props?.build_info ?? null,
  };
}

/** vLLM's `/version`; how many sequences it takes at once it keeps to itself. */
export async function vllmProps(http: EngineHttp, signal: AbortSignal): Promise<EngineProps> {
  const said = await told<{ version?: string }>(http, '/version', signal);
  return { ...NO_PROPS, engine_version: said?.version ?? null };
}

/** TGI's `/info`. */
export async function tgiProps(http: EngineHttp, signal: AbortSignal): Promise<EngineProps> {
  const said = await told<{ version?: string; max_concurrent_requests?: number }>(http, '/info', signal);
  return {
    ...NO_PROPS,
    slots_total: said?.max_concurrent_requests ?? null,
    engine_version: said?.version ?? null,
  };
}

/** Triton's `/v2`, the metadata of the server. */
export async function tritonProps(http: EngineHttp, signal: AbortSignal): Promise<EngineProps> {
  const said = await told<{ version?: string }>(http, '/v2', signal);
  return { ...NO_PROPS, engine_version: said?.version ?? null };
}

/** Undefined where the engine does not answer this. */
async function told<T>(http: EngineHttp, path: string, signal: AbortSignal): Promise<T | undefined> {
  try {
    return await http.get<T>(path, signal);
  } catch {
    return undefined;
  }
}
