/** Text that others wrote, and that may be no JSON. */

/** What it says; undefined where it is no JSON. What that means is for the caller to say. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
