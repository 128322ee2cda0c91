/** A plan in words: a line a client, a line a strike. Whoever reads a failure sees what was going on. */
import type { Plan, PlannedStrike, PlannedTask } from './plan.js';

/** Lines of a plan. */
export function planInWords({ seed, seconds, victims, clients, strikes, preloads }: Plan): string[] {
  const tasks = clients.reduce((sum, list) => sum + list.length, 0);
  return [
    `seed ${seed}: ${tasks} tasks of ${clients.length} clients and ${strikes.length} strikes at ${victims.join(', ')} in ${seconds} s`,
    ...clients.map((list, index) => `  client ${index + 1}: ${list.map(taskInWords).join('; ')}`),
    ...preloads.map(({ pool, notBeforeMs }) => `  operator: loads ${pool} at ${notBeforeMs} ms`),
    ...strikes.map((strike) => `  strike: ${strikeInWords(strike)}`),
  ];
}

function taskInWords(task: PlannedTask): string {
  const what = `${task.route} ${task.pool} ${task.topic} ${task.maxTokens}`;
  const habits = [
    task.priority === 'batch' ? 'batch' : '',
    task.stream ? '' : 'whole',
    task.cancelAfterTokens === null ? '' : `cancel@${task.cancelAfterTokens}`,
    task.leaveAfterFrames.length === 0 ? '' : `leaves@${task.leaveAfterFrames.join(',')}`,
    task.twice ? 'twice' : '',
    task.conflict ? 'conflict' : '',
    task.walksAway ? 'walks-away' : '',
    task.route === 'v2' || !task.stream ? '' : `by-${task.resumeBy}`,
  ].filter((habit) => habit !== '');
  return [`${task.notBeforeMs} ${what}`, ...habits].join(' ');
}

function strikeInWords({ victim, when, draw, mendAfterMs }: PlannedStrike): string {
  const time = 'atMs' in when ? `at ${when.atMs} ms` : `${when.afterMs} ms after the request of ${when.task}`;
  return `${victim} (${draw.toFixed(3)}) ${time}, mended after ${mendAfterMs} ms`;
}
