/** Everything that running workflows are told and asked, defined once: the API speaks to them by these. */
import { defineSignal } from '@temporalio/workflow';

/** A drain that runs was asked for again: the earlier of the deadlines counts (B-CP-026). */
export const drainAskedSignal = defineSignal<[{ deadline_ms: number }]>('drainAsked');
