/** Keeps the record of our stack: the one writer of `stack.json` while we own it. */
import { rm } from 'node:fs/promises';
import { END_ORDER } from './end-stack.js';
import type { Guardian } from './guardian-pipe.js';
import { writeStack, type ProcessRecord, type StackRecord, type StackUrls } from './stack-record.js';

/** The record and its changes; each resolves when it is written. */
export interface StackKeeper {
  record: () => StackRecord;
  /** A guardian watches from now on. */
  guarded: (guardian: Guardian) => void;
  /** A process runs; it takes the place of the one of its name before. */
  started: (process: ProcessRecord) => Promise<void>;
  up: (urls: StackUrls) => Promise<void>;
  /** Nothing runs any more: takes the record away, then dismisses the guardian. */
  over: () => Promise<void>;
}

/** Keeps the record that was claimed. */
export function keepStack(path: string, claimed: StackRecord): StackKeeper {
  let record = claimed;
  let guardian: Guardian | undefined;
  let written = Promise.resolve();
  const write = (change: Partial<StackRecord>): Promise<void> => {
    record = { ...record, ...change };
    written = written.then(() => writeStack(path, record));
    return written;
  };
  return {
    record: () => record,
    guarded: (started) => {
      guardian = started;
      void write({ guardian: started.record });
    },
    started: (process) => {
      const others = record.processes.filter(({ name }) => name !== process.name);
      return write({ processes: inEndOrder([...others, process]) });
    },
    up: (urls) => write({ phase: 'up', urls }),
    over: async () => {
      await written.catch(() => undefined); // The disk is full: there is nothing to keep now.
      await rm(path, { force: true });
      guardian?.dismiss();
    },
  };
}

function inEndOrder(processes: ProcessRecord[]): ProcessRecord[] {
  const order: readonly string[] = END_ORDER;
  return processes.toSorted((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
}
