/** `npm run audit:verify -- <folder>`: says of each chain of audit entries in a folder whether it is as it was written. */
import { resolve } from 'node:path';
import { FIRST_PREVIOUS_HASH, verifyChain } from './audit-chain.js';
import { chainsIn, linesOf } from './audit-files.js';

const folder = resolve(process.argv[2] ?? '.runtime/audit');
const say = (line: string): void => void process.stdout.write(`${line}\n`);

try {
  const names = await chainsIn(folder);
  if (names.length === 0) say(`${folder} holds no audit log`);
  for (const name of names) {
    const { entries, beginsAfter, broken, doubtful } = await verifyChain(linesOf(folder, name));
    const older = beginsAfter === FIRST_PREVIOUS_HASH ? '' : `, beginning after ${String(beginsAfter)}`;
    if (broken === undefined) {
      say(`${name}: ${entries} entries are as they were written${older}`);
    } else {
      say(`${name}: ${broken.place} ${broken.problem}; ${doubtful.length} entries after it are in doubt`);
      process.exitCode = 1;
    }
  }
} catch (err) {
  process.stderr.write(`${folder} cannot be read: ${err instanceof Error ? err.message : String(err)}\n`);
  process.exitCode = 1;
}
