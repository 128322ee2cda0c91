/** Everything that running workflows are told and asked, defined once: the API speaks to them by these. */
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { ProvisionView } from '../contracts/download.js';
import type { OperationStep } from '../contracts/operation.js';
import type { EngineReady, SupervisionView } from '../contracts/supervision.js';

/** A drain that runs was asked for again: the earlier of the deadlines counts (B-CP-026). */
export const drainAskedSignal = defineSignal<[{ deadline_ms: number }]>('drainAsked');

/** The steps of an operation on a pool so far, the last one where it is; also answered after its end. */
export const operationStepsQuery = defineQuery<OperationStep[]>('operationSteps');

/** To a supervisor: the pool has an engine that serves, by whoever's preload. */
export const engineReadySignal = defineSignal<[EngineReady]>('engineReady');

/** To a supervisor: the pool was taken out of service, so nothing is to be started again (B-SUPER-017). */
export const poolDrainedSignal = defineSignal('poolDrained');

/** To a supervisor: the pool is no more, so there is nothing to supervise (B-CP-041). */
export const poolForgottenSignal = defineSignal('poolForgotten');

/** To a supervisor: what was broken is mended; close the circuits and start again (B-SUPER-044). */
export const resetCircuitUpdate = defineUpdate<SupervisionView, [{ by: string }]>('resetCircuit');

/** How a supervisor stands: step, attempts, next restart (B-WFH-006). */
export const supervisionQuery = defineQuery<SupervisionView>('supervision');

/** To a download: stop, and keep what is there. */
export const pauseDownloadSignal = defineSignal('pauseDownload');

/** To a download: go on from what is there. */
export const resumeDownloadSignal = defineSignal('resumeDownload');

/** How far a download is. */
export const provisionQuery = defineQuery<ProvisionView>('provision');
