/** The port that an engine listens on: which are tried, and how a launch is moved to another. */

/** Ports tried from the wanted one upward (B-PREFLIGHT-023). */
export const PORT_TRIES = 200;
/** How engines call it: `--port`, `--http-port`. */
const PORT_FLAG = /^--?(?:[a-z]+-)*port$/;

/** Where engines may be moved to, ends included. */
export interface PortRange {
  first: number;
  last: number;
}

/**
 * The ports to try: the wanted one, then those after it as far as the range goes; from its beginning, where they are not in
 * it. A fixed port has no second (B-WRK-005).
 */
export function portCandidates(wanted: number, fixed: boolean, { first, last }: PortRange): number[] {
  if (fixed) return [wanted];
  const next = wanted + 1 < first || wanted + 1 > last ? first : wanted + 1;
  const count = Math.min(PORT_TRIES - 1, last - next + 1);
  return [wanted, ...Array.from({ length: count }, (_, step) => next + step)];
}

/** What of a launch names its port: the number itself, and the flag that tells the engine. */
export interface PortBinding {
  port: number;
  flags: readonly string[];
}

/**
 * The launch on another port, `--port` and its like following; undefined when no flag names the port, for then the
 * engine would go on listening where it was.
 */
export function moveToPort<T extends PortBinding>(launch: T, port: number): T | undefined {
  if (port === launch.port) return launch;
  const from = String(launch.port);
  const flags = launch.flags.map((flag, at) => {
    if (flag === from && PORT_FLAG.test(launch.flags[at - 1] ?? '')) return String(port);
    const [name = '', value] = flag.split('=', 2);
    return value === from && PORT_FLAG.test(name) ? `${name}=${port}` : flag;
  });
  const isNamed = flags.some((flag, at) => flag !== launch.flags[at]);
  return isNamed ? { ...launch, port, flags } : undefined;
}
