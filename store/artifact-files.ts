/** Artifacts as files, one an id, in a folder that several APIs may share. */
import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Content by artifact id; ids are digests, so they are safe names. */
export interface ArtifactFiles {
  write: (id: string, content: Buffer) => Promise<void>;
  read: (id: string) => Promise<Buffer | undefined>;
  remove: (id: string) => Promise<void>;
  /** Whether they can be kept there: rejects with what is wrong. */
  check: () => Promise<void>;
  /** Lets connections go. */
  close: () => void;
}

/** Files below `root`, which is made where it is missing. */
export function artifactFiles(root: string): ArtifactFiles {
  const fileOf = (id: string) => join(root, id);
  return {
    /** Whole or not at all: written aside, synced, renamed. */
    async write(id, content) {
      await mkdir(root, { recursive: true, mode: 0o700 });
      const aside = join(root, `.${id}-${randomUUID()}`);
      try {
        const file = await open(aside, 'wx', 0o600);
        try {
          await file.writeFile(content);
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(aside, fileOf(id));
      } catch (err) {
        await rm(aside, { force: true });
        throw err;
      }
    },
    async read(id) {
      try {
        return await readFile(fileOf(id));
      } catch (err) {
        if ((err as { code?: string }).code === 'ENOENT') return undefined;
        throw err;
      }
    },
    remove: (id) => rm(fileOf(id), { force: true }),
    async check() {
      await mkdir(root, { recursive: true, mode: 0o700 });
    },
    close: () => undefined,
  };
}
