/** The workflow bundle from the sources, as `setup/build.mjs` makes it from the build. */
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger, type WorkflowBundleWithSourceMap } from '@temporalio/worker';

const source = (path: string) => fileURLToPath(new URL(`../workflows/${path}`, import.meta.url));

/** Takes seconds: one a test file. */
export function bundleWorkflows(): Promise<WorkflowBundleWithSourceMap> {
  return bundleWorkflowCode({
    workflowsPath: source('index.ts'),
    workflowInterceptorModules: [source('parts/correlation.ts')],
    failureConverterPath: source('parts/failure-converter.ts'),
    logger: new DefaultLogger('ERROR', () => undefined),
  });
}
