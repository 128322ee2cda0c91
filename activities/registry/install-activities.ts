/**
 * Activities that install Drover on a node (B-SSH-009): each is one script over SSH, which may be carried out again. What came
 * of it is for `domain/install.ts` to say; the secrets that the node is given are the control worker's own.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { InstallFailure, InstallOrder } from '../../contracts/node-install.js';
import type { NodeRequest } from '../../contracts/registered-node.js';
import {
  isLoopback,
  judgeScript,
  outputTail,
  planInstall,
  type InstallPlan,
  type InstallStep,
  type RemoteStep,
} from '../../domain/install.js';
import { versionsAgree } from '../../domain/node-service.js';
import { judgeVisit, type SshProblem } from '../../domain/ssh.js';
import { asFailure } from '../as-failure.js';
import { heartbeating } from '../engine/heartbeating.js';
import { whyStopped } from '../shutting-down.js';
import type { RegistryDeps } from './registry-deps.js';
import type { RemoteOutcome } from './ssh-transport.js';

/** What the activities work with. */
export type InstallDeps = Pick<RegistryDeps, 'transport' | 'log' | 'install'>;

type Step = Exclude<RemoteStep, 'log'>;

/** Most that each script may take; the workflow's limits are above. */
const LIMIT_MS: Readonly<Record<RemoteStep, number>> = {
  ...{ tools: 20_000, fetch: 600_000, build: 1_200_000, verify: 60_000, configure: 20_000 },
  // An old worker has 40 s to end.
  ...{ start: 60_000, log: 20_000 },
};
/** A node worker is up in seconds, and registers at once. */
const REPORT_LIMIT_MS = 60_000;
const LOOK_EVERY_MS = 500;

/** Builds the activities. */
export function createInstallActivities({ transport, log, install }: InstallDeps) {
  async function carryOut(node: NodeRequest, step: RemoteStep, ...values: string[]): Promise<RemoteOutcome> {
    const order = { step, values, limitMs: LIMIT_MS[step] };
    return heartbeating(async (signal) => {
      const outcome = await transport.carryOut(node, order, signal);
      if (signal.aborted) throw whyStopped(signal.reason);
      return outcome;
    });
  }

  /** Carries out a step. @returns what its script says @throws ApplicationFailure NODE_INSTALL_FAILED, SSH_* */
  async function did(node: NodeRequest, step: Step, ...values: string[]): Promise<RemoteOutcome['facts']> {
    const outcome = await carryOut(node, step, ...values);
    const { facts, lines, end } = outcome;
    const ended = { begun: facts['begun'] === 'yes', problem: facts['problem'], ...end };
    const problem = judgeScript(step, ended, () => unreached(outcome));
    const { node_name, ssh_host } = node;
    if (problem === undefined) {
      log.info({ event: 'node_install_step', node_name, step }, 'a step of an installation is done');
      return facts;
    }
    const { code, reason, message, retryable } = problem;
    log.warn({ event: 'node_install_failed', node_name, ssh_host, step, code, reason }, 'a step has failed');
    throw failed(node, step, code, message, {
      ...{ reason, attempts: Context.current().info.attempt, exit_code: end.exitCode },
      ...(ended.begun ? { output_tail: tailOf(node, facts, lines) } : {}),
      retryable,
    });
  }

  /** Without the places and the secrets of the node. */
  function tailOf(node: NodeRequest, facts: RemoteOutcome['facts'], lines: readonly string[]): string {
    const { ssh_host: host, ssh_user: user, install_path: installed, git_repo_url: repository } = node;
    const home = facts['home'] ?? '';
    const install_path = installed.startsWith('~/') ? `${home}${installed.slice(1)}` : installed;
    const secrets = { token: install.nodeToken ?? '', keys: install.payloadKeys ?? '' };
    return outputTail(lines, { ...secrets, host, user, repository, install_path, home });
  }

  return {
    /** Where the node will report. @throws ApplicationFailure INVALID_PARAMS, NODE_INSTALL_FAILED */
    planInstall: ({ node, order }: { node: NodeRequest; order: InstallOrder }): Promise<InstallPlan> => {
      const { apiUrl: api_url, temporalAddress: temporal_address } = install;
      if (install.nodeToken === undefined || install.payloadKeys === undefined) {
        const message =
          'the control worker has no DROVER_NODE_TOKEN or DROVER_PAYLOAD_KEYS to give to the node';
        return Promise.reject(failed(node, 'plan', 'NODE_INSTALL_FAILED', message, { reason: 'no_secrets' }));
      }
      const planned = planInstall(order, { api_url, temporal_address }, node.ssh_host);
      if (planned.ok) return Promise.resolve(planned.plan);
      const message = `${planned.field} ${planned.problem}`;
      return Promise.reject(failed(node, 'plan', 'INVALID_PARAMS', message, { reason: planned.field }));
    },
    lookAtTools: async ({ node }: { node: NodeRequest }): Promise<void> => {
      await did(node, 'tools');
    },
    fetchSource: async ({ node }: { node: NodeRequest }): Promise<{ commit: string }> => {
      const { commit = '' } = await did(node, 'fetch', node.git_repo_url, node.git_branch);
      return { commit };
    },
    buildProgram: async ({ node }: { node: NodeRequest }): Promise<void> => {
      await did(node, 'build');
    },
    /** @throws ApplicationFailure VERSION_MISMATCH, NODE_INSTALL_FAILED, SSH_* */
    verifyProgram: async ({ node }: { node: NodeRequest }): Promise<{ version: string }> => {
      const { version = '' } = await did(node, 'verify');
      if (versionsAgree(version, install.version)) return { version };
      const message = `the branch has version ${version}, and this installation ${install.version}: they must be of one minor line`;
      throw failed(node, 'verify', 'VERSION_MISMATCH', message, { reason: 'version' });
    },
    writeNodeSettings: async ({
      node,
      order,
      plan,
    }: {
      node: NodeRequest;
      order: InstallOrder;
      plan: InstallPlan;
    }): Promise<void> => {
      const secrets = [install.nodeToken ?? '', install.payloadKeys ?? ''];
      await did(node, 'configure', ...secrets, ...settingsOf(node, order, plan, install.namespace), '');
    },
    /** @returns whether it ran already, and when it was heard of last */
    startNodeWorker: async ({
      node,
    }: {
      node: NodeRequest;
    }): Promise<{ worker: 'started' | 'kept'; heard_ms: number }> => {
      const before = await asFailure(() => install.lastReport(node.node_name));
      const { worker } = await did(node, 'start');
      return { worker: worker === 'kept' ? 'kept' : 'started', heard_ms: before?.heardMs ?? 0 };
    },
    /** Waits until the API has heard of the node anew. @throws ApplicationFailure NODE_INSTALL_FAILED with the end of its log */
    awaitNodeReport: async ({ node, heard_ms }: { node: NodeRequest; heard_ms: number }): Promise<void> => {
      const heard = await heartbeating(async (signal) => {
        const giveUpAt = Date.now() + REPORT_LIMIT_MS;
        while (Date.now() < giveUpAt) {
          const report = await asFailure(() => install.lastReport(node.node_name));
          if (report?.online === true && report.heardMs > heard_ms) return true;
          await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
          if (signal.aborted) throw whyStopped(signal.reason);
        }
        return false;
      });
      if (heard) return;
      const { facts, lines } = await carryOut(node, 'log');
      const message =
        facts['alive'] === 'yes'
          ? 'the node worker runs, and the API does not hear of it; does it reach the API and Temporal?'
          : 'the node worker has ended again; its log says why';
      const output_tail = tailOf(node, facts, lines);
      throw failed(node, 'report', 'NODE_INSTALL_FAILED', message, { reason: 'no_report', output_tail });
    },
  };
}

/** Lines of the node worker's settings; what they hold has passed the rules of the registry and of the order. */
function settingsOf(
  { node_name, ssh_host }: NodeRequest,
  { port }: InstallOrder,
  { api_url, temporal_address }: InstallPlan,
  namespace: string,
): string[] {
  const host = ssh_host.includes(':') ? `[${ssh_host}]` : ssh_host;
  const settings = {
    DROVER_NODE_ID: node_name,
    DROVER_NODE_ADDR: `${isLoopback(ssh_host) ? '127.0.0.1' : '0.0.0.0'}:${port}`,
    DROVER_NODE_URL: `http://${isLoopback(ssh_host) ? '127.0.0.1' : host}:${port}`,
    DROVER_API_URL: api_url,
    TEMPORAL_ADDRESS: temporal_address,
    TEMPORAL_NAMESPACE: namespace,
  };
  return Object.entries(settings).map(([name, value]) => `${name}="${value}"`);
}

function unreached({ keyReadable, facts, end }: RemoteOutcome): SshProblem {
  const begun = facts['begun'] === 'yes';
  const verdict = judgeVisit({
    ...{ keyReadable, greeted: begun, echoed: begun, roundTripMs: null, installed: begun, end },
  });
  if (!verdict.ok) return verdict.problem;
  throw new TypeError('a script that has begun and ended well was not unreached');
}

function failed(
  { node_name }: NodeRequest,
  step: InstallStep,
  type: string,
  message: string,
  { retryable = false, ...more }: Omit<InstallFailure, 'node_name' | 'step'> & { retryable?: boolean },
): ApplicationFailure {
  const details: InstallFailure = { node_name, step, ...more };
  return ApplicationFailure.create({ message, type, nonRetryable: !retryable, details: [details] });
}
