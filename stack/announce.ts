/** What `npm start` says when the stack is up: where it answers, the key, and two lines to paste. */
import type { StackUrls } from './stack-record.js';

/** What is said of a running stack. */
export interface Announcement {
  urls: StackUrls;
  apiKey: string;
  namespace: string;
  logDir: string;
  /** What the line to paste asks for. */
  modelRef: string;
}

/** The lines, one string each. */
export function announcement({ urls, apiKey, namespace, logDir, modelRef }: Announcement): string[] {
  const ui = urls.temporal_ui;
  return [
    '',
    `  API          ${urls.api}`,
    `  API key      ${apiKey}`,
    `  Temporal UI  ${ui === null ? `that of ${urls.temporal}` : `${ui}/namespaces/${namespace}/workflows`}`,
    `  Logs         ${logDir}`,
    '',
    'Try it:',
    '',
    `  npx drover run ${shellQuoted(modelRef)}`,
    '',
    `  ${curlLine(urls.api, apiKey, modelRef)}`,
    '',
  ];
}

/** Names a task, starts it and streams its tokens: one line that works when pasted into a POSIX shell, again and again. */
export function curlLine(apiUrl: string, apiKey: string, modelRef: string): string {
  const body = {
    task_id: '$ID',
    session_id: '$ID',
    workload: 'completion',
    model_ref: modelRef,
    engine: 'llamacpp',
    ctx: 0,
    priority: 'interactive',
    max_tokens: 64,
    deadline_ms: 60_000,
    prompt: 'Tell me about the sea.',
  };
  const data = JSON.stringify(body).replaceAll('"', '\\"');
  const key = `-H ${shellQuoted(`X-API-Key: ${apiKey}`)}`;
  const json = "-H 'Content-Type: application/json'";
  return [
    `ID=hello-$(date +%s)`,
    `curl -sS ${apiUrl}/v2/tasks ${key} ${json} -d "${data}"`,
    'echo',
    `curl -sSN ${apiUrl}/v2/tasks/$ID/events ${key}`,
  ].join('; ');
}

function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
