/** A disk that is full while the test says so: the logs on it take no record then; what they hold is real. */
import { openRunLog, type LogRecord } from '../workers/node/run-log.js';

/** Opens logs on such a disk. */
export function fullDisk() {
  const state = { isFull: false, tries: 0 };
  const written: LogRecord['kind'][] = [];
  const openLog: typeof openRunLog = (...args) => {
    const log = openRunLog(...args);
    const append: typeof log.append = (records) => {
      state.tries += Number(state.isFull);
      if (state.isFull) throw noRoom();
      log.append(records);
      written.push(...records.map(({ kind }) => kind));
    };
    return { ...log, append };
  };
  return { state, written, openLog };
}

/** What a file system says that is full. */
export function noRoom(): Error {
  return Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
}
