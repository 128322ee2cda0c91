/** Everything that running workflows are told and asked, defined once: the API speaks to them by these. */
import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { OperationStep } from '../contracts/operation.js';

/** A drain that runs was asked for again: the earlier of the deadlines counts (B-CP-026). */
export const drainAskedSignal = defineSignal<[{ deadline_ms: number }]>('drainAsked');

/** The steps of an operation on a pool so far, the last one where it is; also answered after its end. */
export const operationStepsQuery = defineQuery<OperationStep[]>('operationSteps');
