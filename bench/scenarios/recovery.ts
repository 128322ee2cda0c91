/**
 * What a death costs: the gap in a stream when its engine, its API or its node worker is killed, beside an undisturbed
 * one; the restart of an idle pool's engine, beside a start by hand; the adoption of an engine by a new node worker; and
 * what it costs that all this is possible: a run's log on a disk.
 *
 * Pauses before a restart grow with each death, so every death is the first of its kind: each engine is a new pool's, and
 * of the node worker's two deaths under a stream each has an installation of its own.
 */
import { adopt, adoptionGoals, adoptionTable, type Adoption } from '../recovery/adoption.js';
import { crash, crashTable, type Crash } from '../recovery/crash.js';
import { interrupt, interruptionTable, type Death, type Interruption } from '../recovery/interruption.js';
import { logCost } from '../recovery/log-cost.js';
import type { Report } from '../report/report.js';
import type { Bench } from '../scenario.js';
import { AdmissionBook } from '../stack/admissions.js';
import { startByHand } from '../stack/engine-by-hand.js';
import type { Drover } from '../stack/start-drover.js';

const TURNS = 3;
/** Engines that crash without work, a turn. */
const CRASHES = 3;
/** The last one is the node worker's second death, and needs the installation of its own. */
const FIRST_DEATHS: readonly Death[] = ['nothing', 'the engine', 'the API', 'the node worker'];
const LAST_DEATHS: readonly Death[] = ['engine and node worker'];
const QUICK_DEATHS: readonly Death[] = ['nothing', 'the engine', 'the node worker'];

/** So many that a task runs on while what died comes back; a smoke check does not wait for that. */
const [TOKENS, QUICK_TOKENS] = [200, 50];

/** All that is found, turn by turn. */
interface Findings {
  interruptions: Map<Death, Interruption[]>;
  crashes: Crash[];
  byHandMs: number[];
  adoptions: Adoption[];
}

let lastPool = 0;

/** Recovery; run it last: the pool that was loaded is gone after it. */
export async function recovery({ drover, fresh, quick, say }: Bench): Promise<Report> {
  const interruptions = new Map<Death, Interruption[]>();
  if (quick) {
    say('recovery: engine and node worker killed under a stream');
    await killUnderStreams(drover, { deaths: QUICK_DEATHS, tokens: QUICK_TOKENS }, interruptions);
    return { tables: [interruptionTable(interruptions)], goals: [] };
  }
  const findings: Findings = { interruptions, crashes: [], byHandMs: [], adoptions: [] };
  for (let turn = 1; turn <= TURNS; turn += 1) {
    say(`recovery: turn ${turn} of ${TURNS}`);
    await oneTurn(fresh, findings);
  }
  say('recovery: run logs on disk and in memory');
  const cost = await logCost(await fresh());
  return {
    tables: [
      interruptionTable(interruptions),
      crashTable(findings.crashes, findings.byHandMs),
      adoptionTable(findings.adoptions),
      ...(cost === undefined ? [] : [cost]),
    ],
    goals: adoptionGoals(findings.adoptions),
  };
}

async function oneTurn(fresh: () => Promise<Drover>, findings: Findings): Promise<void> {
  const first = await fresh();
  for (let count = 0; count < CRASHES; count += 1) {
    findings.byHandMs.push(await startByHand());
    findings.crashes.push(await crash(first, newPool()));
  }
  await killUnderStreams(first, { deaths: FIRST_DEATHS, tokens: TOKENS }, findings.interruptions);
  findings.adoptions.push(await adopt(first, newPool()));
  await killUnderStreams(await fresh(), { deaths: LAST_DEATHS, tokens: TOKENS }, findings.interruptions);
}

async function killUnderStreams(
  drover: Drover,
  { deaths, tokens }: { deaths: readonly Death[]; tokens: number },
  found: Map<Death, Interruption[]>,
): Promise<void> {
  const book = await AdmissionBook.open(drover.apiLog);
  for (const death of deaths) {
    const all = found.get(death) ?? [];
    found.set(death, all);
    all.push(await interrupt(drover, newPool(), { death, tokens }));
  }
  await book.mustBeEager(deaths.length);
}

function newPool(): string {
  lastPool += 1;
  return `recovery-${lastPool}`;
}
