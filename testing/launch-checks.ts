/** What tests of the checks before a launch have in common. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { TestContext } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';

/** The failure that this ends with. */
export async function failureOf(result: Promise<unknown>): Promise<ApplicationFailure> {
  const err = await result.then(
    () => assert.fail('preflight passed'),
    (cause: unknown) => cause,
  );
  assert.ok(err instanceof ApplicationFailure, String(err));
  return err;
}

/** What a failure rests on, as it tells it. */
export function causeOf({ details }: ApplicationFailure): Record<string, unknown> {
  return (details?.[0] as { cause?: Record<string, unknown> }).cause ?? {};
}

/** Makes a model larger, sparsely. */
export async function resize(path: string, mib: number): Promise<void> {
  const file = await open(path, 'r+');
  await file.truncate(mib * 1024 ** 2);
  await file.close();
}

/** Listens on a port until the test ends. */
export async function takePort(t: TestContext, port: number): Promise<void> {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
}
