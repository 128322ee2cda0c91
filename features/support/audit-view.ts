/** The audit logs of a stack, as an auditor reads them. */
import { join } from 'node:path';
import { readEntry, verifyChain, type AuditEntry } from '../../security/audit/audit-chain.js';
import { chainsIn, linesOf } from '../../security/audit/audit-files.js';
import type { Stack } from './stack.js';

/** Audit logs of one stack. */
export class AuditView {
  constructor(private readonly stack: Stack) {}

  /** Entries of all processes of a kind. */
  async entries(kind: 'api' | 'node'): Promise<AuditEntry[]> {
    const entries: AuditEntry[] = [];
    for (const name of await this.chains()) {
      if (!name.startsWith(kind)) continue;
      for await (const { line } of linesOf(this.folder, name)) {
        const entry = readEntry(line);
        if (entry !== undefined) entries.push(entry);
      }
    }
    return entries;
  }

  /** Names of the chains. */
  chains(): Promise<string[]> {
    return chainsIn(this.folder);
  }

  /** Of each chain what is wrong with it. */
  async problems(): Promise<string[]> {
    const problems = [];
    for (const name of await this.chains()) {
      const { broken } = await verifyChain(linesOf(this.folder, name));
      if (broken !== undefined) problems.push(`${broken.place} ${broken.problem}`);
    }
    return problems;
  }

  private get folder(): string {
    return join(this.stack.stateDir, 'audit');
  }
}
