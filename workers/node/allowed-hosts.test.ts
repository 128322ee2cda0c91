import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allowHosts } from './allowed-hosts.js';

test('B-BG-025: this machine is always allowed, another one by its network alone', () => {
  const problem = allowHosts(['10.1.0.0/16', 'fd00::/8']);
  for (const host of ['127.0.0.1', '127.9.9.9', '[::1]', 'localhost', '10.1.255.1', '[fd12::3]'])
    assert.equal(problem(`http://${host}:8001`), undefined, host);
  for (const host of ['10.2.0.1', '192.168.0.1', '[fe80::1]', '0.0.0.0'])
    assert.match(
      problem(`http://${host}:8001`) ?? '',
      /neither this machine nor in DROVER_NODE_HANDOFF_NETWORKS/,
    );
  assert.match(problem('http://localhost.example.org') ?? '', /is no address/);
});
