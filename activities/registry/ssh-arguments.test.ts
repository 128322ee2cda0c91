import assert from 'node:assert/strict';
import { homedir } from 'node:os';
import { test } from 'node:test';
import { nodeRequest } from '../../contracts/registered-node.js';
import { sshArguments, UnsafeArgumentError } from './ssh-arguments.js';

const PLACE = { ssh_host: 'gpu-1.lab', ssh_port: 2222, ssh_user: 'ops', ssh_key_path: '/keys/id' };
const USE = { connectTimeoutSeconds: 10 };
const ADDITION = {
  ...{ node_name: 'gpu-1', ssh_host: 'gpu-1.lab', ssh_user: 'ops', ssh_key_path: '/keys/id' },
  ...{ git_repo_url: 'https://git.example/drover.git', install_path: '/opt/drover' },
};

test('B-SSH-007, B-SSH-008: ssh asks nobody, trusts no new host key, tries one key, and gets host and command as they are', () => {
  const args = sshArguments(PLACE, 'echo "a b"', USE);
  assert.deepEqual(args.slice(-3), ['--', 'gpu-1.lab', 'echo "a b"']);
  const at = (name: string) => args[args.indexOf(name) + 1];
  assert.deepEqual([at('-i'), at('-l'), at('-p'), at('-F')], ['/keys/id', 'ops', '2222', 'none']);
  for (const option of [
    ...['BatchMode=yes', 'StrictHostKeyChecking=yes', 'ConnectTimeout=10', 'IdentitiesOnly=yes'],
    ...['UpdateHostKeys=no', 'PreferredAuthentications=publickey'],
  ])
    assert.equal(args[args.indexOf(option) - 1], '-o', option);
  assert.ok(!args.some((arg) => arg.startsWith('UserKnownHostsFile')));
});

test('a file of known hosts is named so that ssh reads one file; a key may stand below home', () => {
  const args = sshArguments({ ...PLACE, ssh_key_path: '~/.ssh/id' }, 'x', {
    ...USE,
    knownHosts: '/a b/100%',
  });
  assert.ok(args.includes('UserKnownHostsFile="/a b/100%%"'));
  assert.equal(args[args.indexOf('-i') + 1], `${homedir()}/.ssh/id`);
});

test('B-SSH-008: a value that ssh or a shell would read as something else is given to neither, nor let into the registry', () => {
  const wrong: Record<string, string[]> = {
    ssh_host: ['', '-oProxyCommand=x', 'a b', 'a"b', '$(x)', 'a;b', 'ops@gpu', 'a/b'],
    ssh_user: ['', '-l', 'a b', "a'b", '`x`', 'a%h', 'ä'],
    ssh_key_path: ['', '-i', 'keys/id', '/keys/../id', '/a b', '/%d', '/${HOME}', '/a\nb', '/a"b'],
  };
  for (const [field, values] of Object.entries(wrong))
    for (const value of values) {
      const asked = nodeRequest.safeParse({ ...ADDITION, [field]: value });
      assert.equal(asked.success, false, `${field} ${value}`);
      if (!/^[^-\s"'%$\\]/.test(value) || /[\s"'%$\\]/.test(value))
        assert.throws(() => sshArguments({ ...PLACE, [field]: value }, 'x', USE), UnsafeArgumentError);
    }
  assert.equal(nodeRequest.safeParse(ADDITION).success, true);
});

test('hosts, users, paths, repositories and branches are taken as they are usual', () => {
  const good: Record<string, string[]> = {
    ssh_host: ['gpu-1', '10.0.0.7', '::1', 'fe80::1', 'gpu_1.lab.example'],
    ssh_user: ['root', '_ops', 'first.last', 'svc-drover'],
    ssh_key_path: ['~/.ssh/id_ed25519', '/etc/drover/keys/gpu-1.key'],
    install_path: ['~/drover', '/opt/drover/', '/srv/drover@2'],
    git_branch: ['main', 'release/1.2', 'a'],
    git_repo_url: [
      ...['https://github.com/example/drover.git', 'https://git.example:8443/a/b', 'git@git.example:a/b.git'],
      ...['ssh://git@git.example:22/a/b.git', 'ssh://git.example/a'],
    ],
  };
  const bad: Record<string, unknown[]> = {
    install_path: ['opt', '/opt/../etc', '/opt/$(x)', ''],
    git_branch: ['-b', 'a..b', 'a b', '/a', 'a/', ''],
    git_repo_url: ['https://me:secret@git.example/a', '--upload-pack=x', 'file:///etc', 'a', 'ext::sh -c x'],
    ssh_port: [0, 65_536, 1.5, '22'],
    backends: [['cuda', 'tpu'], 'cuda'],
    devices: [{ tpu: 1 }, { cuda: -1 }, { cuda: [0, -1] }],
    node_name: ['', 'a_b', '-a'],
  };
  const parse = (field: string, value: unknown) =>
    nodeRequest.safeParse({ ...ADDITION, [field]: value }).success;
  for (const [field, values] of Object.entries(good))
    for (const value of values) assert.equal(parse(field, value), true, `${field} ${value}`);
  for (const [field, values] of Object.entries(bad))
    for (const value of values) assert.equal(parse(field, value), false, `${field} ${String(value)}`);
});
