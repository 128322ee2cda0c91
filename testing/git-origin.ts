/** A small git repository that nodes clone, served over HTTP as files: a package whose build makes a node worker. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, normalize } from 'node:path';
import { runToEnd } from './run-to-end.js';

/** What the repository's build makes of its node worker: text of `dist/workers/node/main.js`. */
export interface GitOriginWish {
  program: string;
  version: string;
}

const BUILD = `import { cpSync, mkdirSync } from 'node:fs';
mkdirSync('dist/workers/node', { recursive: true });
cpSync('program.js', 'dist/workers/node/main.js');
console.log('built the program');
`;

/** A running origin. */
export class GitOrigin {
  private constructor(
    private readonly folder: string,
    private readonly server: Server,
  ) {}

  /** Makes the repository and serves it. */
  static async start(wish: GitOriginWish): Promise<GitOrigin> {
    const folder = mkdtempSync(join(tmpdir(), 'drover-origin-'));
    chmodSync(folder, 0o755);
    const server = createServer((request, response) => {
      const path = normalize(new URL(request.url ?? '/', 'http://origin').pathname);
      readFile(join(folder, 'bare', path)).then(
        (content) => response.end(content),
        () => response.writeHead(404).end(),
      );
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const origin = new GitOrigin(folder, server);
    mkdirSync(join(folder, 'work'));
    await origin.git('init', '-q', '-b', 'main');
    await origin.commit(wish);
    return origin;
  }

  /** What clones it. */
  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/drover.git`;
  }

  /** Puts another program on the branch `main`. @returns the commit */
  async commit({ program, version }: GitOriginWish): Promise<string> {
    const manifest = { name: 'drover', version, type: 'module', scripts: { build: 'node build.mjs' } };
    const lock = {
      name: 'drover',
      version,
      lockfileVersion: 3,
      packages: { '': { name: 'drover', version } },
    };
    const files = { 'package.json': JSON.stringify(manifest), 'package-lock.json': JSON.stringify(lock) };
    for (const [name, content] of Object.entries({ ...files, 'build.mjs': BUILD, 'program.js': program }))
      writeFileSync(join(this.folder, 'work', name), content);
    await this.git('add', '-A');
    const author = ['-c', 'user.name=origin', '-c', 'user.email=origin@drover.test'];
    await this.git(...author, 'commit', '-q', '-m', version);
    const bare = join(this.folder, 'bare', 'drover.git');
    rmSync(bare, { recursive: true, force: true });
    await this.git('clone', '-q', '--bare', '.', bare);
    await this.git(`--git-dir=${bare}`, 'update-server-info');
    return (await this.git('rev-parse', 'HEAD')).trim();
  }

  /** Ends it. */
  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
    rmSync(this.folder, { recursive: true, force: true });
  }

  private git(...args: string[]): Promise<string> {
    return runToEnd('git', ['-C', join(this.folder, 'work'), ...args]);
  }
}
