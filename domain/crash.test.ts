import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classifyCrash, classifyFailedRestart, type CrashFacts } from './crash.js';

const facts = (changes: Partial<CrashFacts>): CrashFacts => ({
  exit_code: null,
  signal: null,
  silent: false,
  oom_killed: false,
  log_tail: 'srv  update_slots: all slots are idle',
  ...changes,
});

const rows: readonly [string, Partial<CrashFacts>, kind: string, reason: string][] = [
  ['an exit code', { exit_code: 134 }, 'process_exit', 'process_exit(134)'],
  ['an exit of which nobody was told', {}, 'process_exit', 'process_exit(unknown)'],
  ['B-SUPER-002: silence', { silent: true }, 'health_check_failure', 'health_check_failure'],
  [
    'B-SUPER-003: a CUDA error in the log',
    { exit_code: 1, log_tail: 'x\nCUDA error: an illegal memory access was encountered\n  in ggml_cuda' },
    'cuda_error',
    'cuda_error',
  ],
  ['B-SUPER-005: a signal', { signal: 'SIGSEGV' }, 'signal', 'signal(SIGSEGV)'],
  ['B-SUPER-006: exit code 0', { exit_code: 0, log_tail: 'CUDA error' }, 'graceful_exit', 'graceful_exit'],
  [
    "B-SUPER-009: the host's OOM killer",
    { signal: 'SIGKILL', oom_killed: true },
    'out_of_memory',
    'out_of_memory(host)',
  ],
  [
    'B-SUPER-009: memory of the device that ran out',
    { exit_code: 1, log_tail: 'CUDA error: out of memory' },
    'out_of_memory',
    'out_of_memory(vram)',
  ],
  [
    'B-SUPER-009: memory of the host that ran out under an engine that gave up itself',
    { exit_code: 134, signal: null, log_tail: "terminate called after throwing 'std::bad_alloc'" },
    'out_of_memory',
    'out_of_memory(host)',
  ],
  ['B-SUPER-009: a kill while nothing ran out of memory', { signal: 'SIGKILL' }, 'signal', 'signal(SIGKILL)'],
  [
    'B-SUPER-015: a device that has fallen off the bus',
    { exit_code: 1, log_tail: 'NVRM: Xid (PCI:0000:01:00): 79, GPU has fallen off the bus.\nCUDA error' },
    'driver_reset',
    'driver_reset',
  ],
  [
    'B-SUPER-015: an ECC error',
    { signal: 'SIGABRT', log_tail: 'CUDA error: uncorrectable ECC error encountered' },
    'driver_reset',
    'driver_reset',
  ],
];

for (const [title, changes, kind, reason] of rows) {
  test(`${title} is ${reason}`, () => {
    assert.deepEqual(classifyCrash(facts(changes)), { kind, reason });
  });
}

test('a kill of another signal is none of the OOM killer, whatever else ran out of memory', () => {
  assert.equal(classifyCrash(facts({ signal: 'SIGTERM', oom_killed: true })).kind, 'signal');
});

test('a restart that fails is classified by the log in its words, else by its type', () => {
  const message = 'the engine ended with exit code 1; its log ends:\nCUDA error: unknown error';
  assert.equal(classifyFailedRestart('EngineExited', message).kind, 'cuda_error');
  assert.deepEqual(classifyFailedRestart('HealthTimeout', 'not healthy'), {
    kind: 'restart_failed',
    reason: 'restart_failed(HealthTimeout)',
  });
});
