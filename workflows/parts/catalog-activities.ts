/** The catalogue's activities, which any API process does. */
import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { CatalogActivities } from '../../activities/catalog-activities.js';
import { TASKS_QUEUE } from '../../domain/identity.js';

/**
 * A model's files are gone within seconds, a hundred gigabytes of them too; a database or an API that is away is waited
 * for as long as an operator would. A cancel waits for the answer: what is being deleted must be told of.
 */
export function onCatalog(summary: string) {
  return proxyActivities<CatalogActivities>({
    taskQueue: TASKS_QUEUE,
    summary,
    startToCloseTimeout: '2m',
    scheduleToCloseTimeout: '10m',
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: { initialInterval: '500ms', maximumInterval: '10s' },
  });
}

/**
 * A model is on the node's disk after hours, if it is a large one; an API that ends is missed after ten seconds, and another
 * one waits on. A cancel ends the wait alone: others may want the model too.
 */
export function whenStaged(summary: string) {
  return proxyActivities<Pick<CatalogActivities, 'stageModel'>>({
    taskQueue: TASKS_QUEUE,
    summary,
    startToCloseTimeout: '7 days',
    heartbeatTimeout: '10s',
    cancellationType: ActivityCancellationType.TRY_CANCEL,
    retry: { initialInterval: '500ms', maximumInterval: '10s' },
  });
}
