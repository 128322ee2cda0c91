/** Failures on the registry of nodes: the type is the code of the answer, `details[0]` holds the facts. */
import { ApplicationFailure } from '@temporalio/common';
import type { NodeFailureDetails } from '../../contracts/registered-node.js';
import type { SshFailureCode } from '../../domain/ssh.js';

/** The failure of something that is done to a node of the registry. */
export function nodeFailureOf(
  type: SshFailureCode | 'DUPLICATE_NODE' | 'NODE_NOT_FOUND_IN_REGISTRY',
  message: string,
  details: NodeFailureDetails,
  retryable = false,
): ApplicationFailure {
  return ApplicationFailure.create({ message, type, nonRetryable: !retryable, details: [details] });
}
