/** Cancelling what was interrupted: the acknowledgement is waited for, a little while (B-INF-052). */
import type { ApiHttp } from './http.js';

/** What an interrupted command does last, nothing interrupts. */
const NEVER = new AbortController().signal;

/**
 * Asks for the cancel of a task.
 * @returns true when it was acknowledged in time
 */
export async function cancelTask(http: ApiHttp, taskId: string): Promise<boolean> {
  try {
    await http.until(NEVER).send({
      method: 'POST',
      path: `/v2/tasks/${encodeURIComponent(taskId)}/cancel`,
      repeatable: true,
      limitMs: http.limits.acknowledgeMs,
    });
    return true;
  } catch {
    return false; // Whoever asked tells that nobody answered.
  }
}
