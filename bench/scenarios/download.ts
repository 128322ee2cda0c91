/**
 * What a durable download costs beside `curl` from the same server onto the same disk. Drover also computes the file's
 * SHA-256 and syncs it before it says that the model is there; `curl` does neither.
 */
import { execFile } from 'node:child_process';
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { download, type Download } from '../../contracts/download.js';
import { nowMs } from '../engine/words.js';
import { median, summarize } from '../measure/summary.js';
import { shown, type Report } from '../report/report.js';
import type { Bench } from '../scenario.js';
import type { Drover } from '../stack/start-drover.js';

const MEBIBYTE = 1_048_576;
/** A network of 1 Gbit/s, in bytes a second. */
const GIGABIT = 125_000_000;
const PACED_ROUNDS = 3;
/** Longest wait of one request for the end. */
const WAIT_MS = 60_000;

const execute = promisify(execFile);

type Taken = Record<'curl' | 'drover', number[]>;

/** Downloads in turns with `curl`: as fast as this machine can, then as fast as a network of a gigabit. */
export async function downloads({ drover, origin, modelDir, quick, say }: Bench): Promise<Report> {
  const [bytes, rounds] = quick ? [32 * MEBIBYTE, 1] : [512 * MEBIBYTE, 7];
  await origin.fill(bytes);
  await mkdir(modelDir, { recursive: true });
  const inTurns = async (network: string, turns: number): Promise<Taken> => {
    say(`download: ${bytes / MEBIBYTE} MiB, ${turns} each, ${network}`);
    const taken: Taken = { curl: [], drover: [] };
    for (let turn = 0; turn <= turns; turn += 1) {
      const name = `${network}-${turn}`;
      const curl = await timed(bytes, () => byCurl(`${origin.url}/${name}`, join(modelDir, 'curl')));
      const own = await timed(bytes, () => byDrover(drover, `hf:bench/models/${name}.bin`));
      // The first of each brings the file into memory, and code to speed.
      if (turn === 0) continue;
      taken.curl.push(curl);
      taken.drover.push(own);
    }
    return taken;
  };
  const local = await inTurns('loopback', rounds);
  origin.pace(GIGABIT);
  const paced = await inTurns('gigabit', Math.min(rounds, PACED_ROUNDS));
  origin.pace(undefined);
  return reportOf({ local, paced }, bytes);
}

/** How long a download takes. What is done with the file afterwards is not part of it. */
async function timed(bytes: number, work: () => Promise<string>): Promise<number> {
  const beganMs = nowMs();
  const path = await work();
  const tookMs = nowMs() - beganMs;
  await mustHave(path, bytes);
  return tookMs;
}

async function byCurl(url: string, path: string): Promise<string> {
  await execute('curl', ['--silent', '--show-error', '--fail', '--output', path, url]);
  return path;
}

async function byDrover(drover: Drover, model_ref: string): Promise<string> {
  const { local_path } = await fetched(drover, model_ref);
  return local_path ?? '';
}

/** Asks for the model until it is there. @throws Error when it does not come */
async function fetched({ api }: Drover, model_ref: string): Promise<Download> {
  for (;;) {
    const body = { model_ref, wait_ms: WAIT_MS };
    const { text } = await api.send({ method: 'POST', path: '/v2/catalog/downloads', body });
    const { data: now } = download.safeParse(JSON.parse(text));
    if (now?.status === 'completed') return now;
    if (now?.status !== 'running') throw new Error(`download of ${model_ref}: ${text.slice(0, 300)}`);
  }
}

/** Looks whether all of it came, and makes room for the next. */
async function mustHave(path: string, bytes: number): Promise<void> {
  const { size } = await stat(path);
  if (size !== bytes) throw new Error(`${path} has ${size} bytes, and should have ${bytes}`);
  await rm(path);
}

function reportOf({ local, paced }: Record<'local' | 'paced', Taken>, bytes: number): Report {
  const mebibytes = bytes / MEBIBYTE;
  const share = ({ curl, drover }: Taken) => (median(curl) / median(drover)) * 100;
  const row = (way: string, samples: readonly number[], of: string) => {
    const { p50, max } = summarize(samples);
    const pace = (ms: number) => shown((mebibytes * 1_000) / ms);
    return [way, String(samples.length), shown(p50), shown(max), pace(p50), of];
  };
  const rows = (taken: Taken, network: string) => [
    row(`\`curl --output\`${network}`, taken.curl, ''),
    row(`\`POST /v2/catalog/downloads\`${network}`, taken.drover, `${shown(share(taken))} %`),
  ];
  return {
    tables: [
      {
        title: `A file of ${mebibytes} MiB from a server on this machine`,
        columns: ['way', 'downloads', 'p50, ms', 'max, ms', 'MiB/s at p50', "of curl's"],
        rows: [...rows(local, ''), ...rows(paced, ', 1 Gbit/s')],
      },
    ],
    goals: [
      { what: "download's pace, of `curl`'s", value: share(local), reach: 90, unit: '%', atLeast: true },
      { what: 'the same at 1 Gbit/s', value: share(paced), reach: 90, unit: '%', atLeast: true },
    ],
  };
}
