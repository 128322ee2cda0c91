import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fingerprint } from './constant-time.js';
import { shownHeaders } from './shown-headers.js';

test('B-RED-006: a dump of headers shows credentials by their fingerprints, the rest as it is', () => {
  const key = `****${fingerprint('a-key-of-a-client')}`;
  assert.match(key, /^\*{4}[0-9a-f]{6}$/);
  const headers = {
    ...{ authorization: 'Bearer a-key-of-a-client', 'X-API-Key': 'a-key-of-a-client', cookie: 'session=1' },
    ...{ accept: 'text/event-stream', 'x-list': ['a', 'b'], missing: undefined },
  };
  const { cookie, ...rest } = shownHeaders(headers);
  assert.deepEqual(rest, {
    ...{ authorization: key, 'X-API-Key': key, accept: 'text/event-stream', 'x-list': 'a, b' },
  });
  assert.match(String(cookie), /^\*{4}[0-9a-f]{6}$/);
});
