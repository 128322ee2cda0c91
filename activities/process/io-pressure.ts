/** How much the processes of this machine wait for its disks. */
import { readFile } from 'node:fs/promises';

/** Share of the last ten seconds, in percent, in which one of them waited; undefined where the kernel does not tell. */
export async function ioPressurePercent(): Promise<number | undefined> {
  const text = await readFile('/proc/pressure/io', 'utf8').catch(() => '');
  const [, share] = /^some avg10=(\d+(?:\.\d+)?) /m.exec(text) ?? [];
  return share === undefined ? undefined : Number(share);
}
