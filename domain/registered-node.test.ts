import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leadsElsewhere, NODE_NAME_PATTERN } from './registered-node.js';

test('B-NODE-017, B-VAL-017: a node name is letters, digits, "-" and ".", 1 to 253 of them', () => {
  const good = ['a', '7', 'gpu-1', 'lists', 'gpu-1.lab.example', 'GPU', 'a'.repeat(253)];
  const bad = [
    '',
    'list',
    '-a',
    'a-',
    '.',
    '..',
    '.a',
    'a_b',
    'a b',
    'a/b',
    'ä',
    'a\n',
    'a;b',
    '`a`',
    'a|b',
    'a'.repeat(254),
  ];
  assert.deepEqual(
    good.filter((name) => !NODE_NAME_PATTERN.test(name)),
    [],
  );
  assert.deepEqual(
    bad.filter((name) => NODE_NAME_PATTERN.test(name)),
    [],
  );
});

test('another host, port, user or key is another place; the same ones again are not', () => {
  const place = { ssh_host: 'gpu-1', ssh_port: 22, ssh_user: 'ops', ssh_key_path: '/keys/a' };
  assert.equal(leadsElsewhere(place, {}), false);
  assert.equal(leadsElsewhere(place, place), false);
  const changes = [
    { ssh_host: 'gpu-2' },
    { ssh_port: 23 },
    { ssh_user: 'root' },
    { ssh_key_path: '/keys/b' },
  ];
  assert.deepEqual(
    changes.map((change) => leadsElsewhere(place, change)),
    [true, true, true, true],
  );
});
