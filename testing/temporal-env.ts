/** The time-skipping server for tests of workflows: hours pass in milliseconds, so no real child process may wait on it. */
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { SEARCH_ATTRIBUTES } from '../domain/search-attributes.js';
import { newPayloadKey, parsePayloadKeys } from '../security/payload-keys.js';
import { createLogger } from '../telemetry/logger.js';
import { installTemporalRuntime, temporalDataConverter } from '../workers/temporal.js';

const VALUE_TYPES = { Keyword: 2, Int: 3, Datetime: 6 } as const;

/** Keys of this test run. */
export const testRing = parsePayloadKeys(newPayloadKey());

/** Payloads sealed as in production. */
export const testDataConverter = temporalDataConverter(testRing);

/**
 * A server of its own with our search attributes; `teardown()` ends it.
 * @throws Error when `DROVER_TEST_SERVER`, which `npm test` sets, does not name the launcher
 */
export async function timeSkippingEnvironment(): Promise<TestWorkflowEnvironment> {
  const path = process.env['DROVER_TEST_SERVER'];
  if (path === undefined) throw new Error('DROVER_TEST_SERVER is not set; run the tests with npm test');
  // A worker's every state is nothing that a reader of test results looks for.
  installTemporalRuntime(createLogger('test', 'error'));
  const env = await TestWorkflowEnvironment.createTimeSkipping({
    server: { executable: { type: 'existing-path', path } },
    client: { dataConverter: testDataConverter },
  });
  await registerSearchAttributes(env);
  return env;
}

/** Gives the server's default namespace our search attributes. */
export async function registerSearchAttributes({ connection }: TestWorkflowEnvironment): Promise<void> {
  const searchAttributes = Object.fromEntries(
    Object.entries(SEARCH_ATTRIBUTES).map(([name, kind]) => [name, VALUE_TYPES[kind]]),
  );
  await connection.operatorService.addSearchAttributes({ namespace: 'default', searchAttributes });
}
