/** Text that others wrote, and that may be no JSON. */

/** What it says; undefined where it is no JSON. What that means is for the caller to say. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** How V8 says that a text ended too early, where it does not say it by a place. */
const TOO_EARLY = /end of JSON input|Unterminated string/;

/**
 * Where a text stops being JSON, counted from 0: the end of one that breaks off.
 * @returns undefined for JSON
 */
export function jsonErrorPosition(text: string): number | undefined {
  if (!fails(text)) return undefined;
  if (!failsBeforeItsEnd(text)) return text.length;
  // The shortest beginning that nothing could make whole ends with what is wrong.
  let [whole, broken] = [0, text.length];
  while (broken - whole > 1) {
    const middle = (whole + broken) >> 1;
    if (failsBeforeItsEnd(text.slice(0, middle))) broken = middle;
    else whole = middle;
  }
  return broken - 1;
}

function fails(text: string): boolean {
  return problemOf(text) !== undefined;
}

function failsBeforeItsEnd(text: string): boolean {
  const problem = problemOf(text);
  if (problem === undefined || TOO_EARLY.test(problem)) return false;
  const place = /position (\d+)/.exec(problem)?.[1];
  return place === undefined || Number(place) < text.length;
}

function problemOf(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (err) {
    return err instanceof Error ? err.message : String(err);
  }
}
