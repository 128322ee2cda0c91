/** Schemathesis' report, in JUnit's words: a test case an operation. */

/** What of it counts. */
export interface SchemaReport {
  passed: number;
  /** The operations that failed, each with the first line of why. */
  failures: string[];
}

/** Reads it; a test case without a failure or an error in it has passed. */
export function readReport(xml: string): SchemaReport {
  const cases = xml.matchAll(/<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g);
  const failures: string[] = [];
  let passed = 0;
  for (const [, attributes = '', body = ''] of cases) {
    const problem = /<(?:failure|error)\b[^>]*?\bmessage="([^"]*)"/.exec(body)?.[1];
    const isBad = /<(failure|error)\b/.test(body);
    if (!isBad) passed += 1;
    else failures.push(`${nameIn(attributes)}: ${firstLine(problem ?? 'see above')}`);
  }
  return { passed, failures };
}

function nameIn(attributes: string): string {
  return unescape(/\bname="([^"]*)"/.exec(attributes)?.[1] ?? 'an operation');
}

function firstLine(text: string): string {
  const lines = unescape(text)
    .split('\n')
    .map((line) => line.trim());
  return lines
    .filter((line) => line !== '')
    .slice(0, 2)
    .join(' ');
}

function unescape(text: string): string {
  const known: Record<string, string> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&', '#10': '\n' };
  return text.replace(/&(lt|gt|quot|apos|amp|#10);/g, (whole, name: string) => known[name] ?? whole);
}
