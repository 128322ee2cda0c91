/** Activity: one visit of a node by SSH. What it means is for `domain/ssh.ts` to say, and how often it is tried, for the workflow. */
import { Context } from '@temporalio/activity';
import type { NodeRequest, NodeVisited } from '../../contracts/registered-node.js';
import { judgeVisit, SLOW_ROUND_TRIP_MS } from '../../domain/ssh.js';
import { heartbeating } from '../engine/heartbeating.js';
import { whyStopped } from '../shutting-down.js';
import { nodeFailureOf } from './node-failure.js';
import type { RegistryDeps } from './registry-deps.js';

/** Builds `visitNode`. @throws ApplicationFailure SSH_TIMEOUT, SSH_CONNECTION_FAILED, SSH_COMMAND_FAILED */
export function visitNodeActivity({
  transport,
  log,
}: Pick<RegistryDeps, 'log'> & { transport: Pick<RegistryDeps['transport'], 'visit'> }) {
  return async function visitNode({ node }: { node: NodeRequest }): Promise<NodeVisited> {
    const { node_name, ssh_host } = node;
    const { attempt } = Context.current().info;
    const visit = await heartbeating(async (signal) => {
      const seen = await transport.visit(node, signal);
      if (signal.aborted) throw whyStopped(signal.reason);
      return seen;
    });
    if (visit.greeted)
      log.info({ event: 'ssh_connected', node_name, ssh_host, attempt }, 'SSH connection is there');
    const verdict = judgeVisit(visit);
    if (!verdict.ok) {
      const { code, reason, message, retryable } = verdict.problem;
      log.warn(
        { event: 'ssh_failed', node_name, ssh_host, attempt, code, reason },
        'a node was not reached by SSH',
      );
      const exit_code = code === 'SSH_COMMAND_FAILED' ? { exit_code: visit.end.exitCode } : {};
      throw nodeFailureOf(
        code,
        message,
        { node_name, ssh_host, reason, attempts: attempt, ...exit_code },
        retryable,
      );
    }
    const { roundTripMs: round_trip_ms, slow, installed } = verdict;
    log.info({ event: 'ssh_echo', node_name, round_trip_ms }, 'the node sent back what it was told');
    if (slow) {
      const limit_ms = SLOW_ROUND_TRIP_MS;
      log.warn({ event: 'ssh_slow', node_name, round_trip_ms, limit_ms }, 'the way to a node is slow');
    }
    if (!installed) log.warn({ event: 'node_not_installed', node_name }, 'Drover is not installed on a node');
    return { round_trip_ms, slow, installed };
  };
}
