import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isWorkerUrl } from './worker-url.js';

test('B-WRK-006: a worker URL has scheme, host and port', () => {
  for (const url of [
    'http://10.0.0.7:8001',
    'https://gpu-1.lan:443/',
    'http://[::1]:8001/base',
    'HTTP://h:1',
  ])
    assert.equal(isWorkerUrl(url), true, url);
  for (const url of [
    ...['', 'h:8001', 'ftp://h:8001', 'http://', 'http://h', 'http://:8001', 'http://h:0', 'http://h:65536'],
    ...['http://u:p@h:8001', 'http://h:80a', 'http://h:8001?x', ' http://h:8001', 'file:///etc/passwd'],
  ])
    assert.equal(isWorkerUrl(url), false, url);
});
