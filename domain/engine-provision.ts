/**
 * How an engine that is not on the node comes to be there: built from its source, downloaded, or installed as a package of the
 * node's system. What there is to do, in which order, with which tools; how a step that failed is told (B-PROV-001..012).
 */

/** Built with CMake from a git repository. */
export interface SourceWish {
  mode: 'source';
  repository: string;
  /** Branch, tag or commit. */
  ref: string;
  /** Settings of the build, `-DNAME=value`. */
  build_flags: readonly string[];
  /** What of it is built; everything where it is left out. */
  target?: string | undefined;
  /** The program, below the build's folder. */
  program?: string | undefined;
}

/** Downloaded: the program, or an archive with it. */
export interface BinaryWish {
  mode: 'binary';
  url: string;
  sha256: string;
  /** The program, below the archive's folder. */
  program?: string | undefined;
}

/** Installed by the node's package manager. */
export interface PackageWish {
  mode: 'package';
  package: string;
  version?: string | undefined;
  /** On the PATH, or an absolute path. */
  program: string;
}

/** One of them. */
export type EngineWish = SourceWish | BinaryWish | PackageWish;

/** What the engine is to be: part of what makes a build another build. */
export interface EngineTarget {
  engine: string;
  backend: string;
}

const MAKING_STEPS = [
  'package-install',
  'git-clone',
  'cmake-configure',
  'cmake-build',
  'download',
  'unpack',
] as const;

/** Steps that make an engine, as operators read them. */
export type ProvisionStep = (typeof MAKING_STEPS)[number];

/** What an operation tells of, the first look included. */
export type EngineStep = 'preflight-tools' | ProvisionStep;

/** True for a step that makes an engine available, whatever else an operation has for steps. */
export function isEngineStep(step: string): step is EngineStep {
  return step === 'preflight-tools' || MAKING_STEPS.some((name) => name === step);
}

/** Stands, in a launch whose engine has to be made available first, for where its program will be. */
export const ENGINE_PLACE = '{engine_path}';

/** Where llama.cpp's build puts its server. */
const LLAMA_SERVER = 'bin/llama-server';

/** Archives by the end of their name, with the tools that unpack them. */
const ARCHIVES: readonly { ending: RegExp; tools: readonly string[] }[] = [
  { ending: /\.(tar\.gz|tgz)$/, tools: ['tar', 'gzip'] },
  { ending: /\.(tar\.xz|txz)$/, tools: ['tar', 'xz'] },
  { ending: /\.tar$/, tools: ['tar'] },
  { ending: /\.zip$/, tools: ['unzip'] },
];

/** Debian's packages of the tools; CUDA's compiler comes from NVIDIA. */
const PACKAGES: Readonly<Record<string, string>> = {
  git: 'git',
  cmake: 'cmake',
  make: 'make',
  gcc: 'g++',
  tar: 'tar',
  gzip: 'gzip',
  xz: 'xz-utils',
  unzip: 'unzip',
};

/** The one package manager that a node is asked through. */
export const PACKAGE_MANAGER = 'apt-get';

/** What a launch says of its program. */
export interface EngineBinding {
  binary_path: string;
  provisioning?: { mode: string } | undefined;
  provisioning_mode: string;
}

/** True while the launch's engine has yet to be made available. */
export function isUnprovided({ binary_path }: Pick<EngineBinding, 'binary_path'>): boolean {
  return binary_path === ENGINE_PLACE;
}

/** Why what a launch says of its program does not go together; undefined when it does. */
export function provisioningProblem(
  launch: EngineBinding & { engine: string; provisioning?: EngineWish | undefined },
): { field: string[]; problem: string } | undefined {
  const { provisioning: wish, provisioning_mode, engine } = launch;
  if (wish === undefined)
    return isUnprovided(launch)
      ? { field: ['binary_path'], problem: `may be ${ENGINE_PLACE} only where provisioning says how` }
      : undefined;
  // `binary` is what a launch without a word of it means.
  if (provisioning_mode !== wish.mode && provisioning_mode !== 'binary')
    return { field: ['provisioning_mode'], problem: `is not the mode of provisioning, ${wish.mode}` };
  return wishProblem(wish, engine);
}

/** Why nobody could tell where the program is; undefined when the wish, or the engine's kind, says. */
export function wishProblem(
  wish: EngineWish,
  engine: string,
): { field: string[]; problem: string } | undefined {
  if (wish.mode === 'package' || wish.program !== undefined) return undefined;
  const isKnown = wish.mode === 'source' ? engine === 'llamacpp' : archiveTools(wish.url) === undefined;
  const where = wish.mode === 'source' ? "the build's folder" : "the archive's folder";
  return isKnown
    ? undefined
    : { field: ['provisioning', 'program'], problem: `must name the program, below ${where}` };
}

/** The program of what was built or unpacked, below its folder. */
export function programOf(wish: SourceWish | BinaryWish): string {
  return wish.program ?? (wish.mode === 'source' ? LLAMA_SERVER : nameOf(wish.url));
}

/** Name of the file at an address. */
export function nameOf(url: string): string {
  return url.replace(/[?#].*$/s, '').replace(/^.*\//s, '');
}

/** Tools that unpack what is downloaded; undefined for what is the program itself. */
export function archiveTools(url: string): readonly string[] | undefined {
  return ARCHIVES.find(({ ending }) => ending.test(nameOf(url)))?.tools;
}

/**
 * Tools that the wish takes, each with what may stand for it. GPU pools take CUDA's compiler: a build without it would run
 * on the CPU and say nothing of it.
 */
export function toolsOf(
  wish: EngineWish,
  { backend }: EngineTarget,
): readonly (readonly [string, ...string[]])[] {
  if (wish.mode === 'package') return [[PACKAGE_MANAGER]];
  if (wish.mode === 'binary') return (archiveTools(wish.url) ?? []).map((tool) => [tool] as const);
  const cuda = backend === 'cuda' ? [['nvcc'] as const] : [];
  return [['git'], ['cmake'], ['make'], ['gcc', 'clang', 'cc'], ...cuda];
}

/** What there is to do about the tools that are missing: their packages, or the line that names them all. */
export function planTools(
  missing: readonly string[],
  mayInstall: boolean,
): { ok: true; packages: string[] } | { ok: false; problem: string } {
  const packages = missing.flatMap((tool) => PACKAGES[tool] ?? []);
  if (missing.length === 0 || (mayInstall && packages.length === missing.length))
    return { ok: true, packages };
  const advice = mayInstall
    ? 'not all of them are packages that a node installs'
    : 'install them, or let the node do so (DROVER_NODE_PACKAGE_INSTALL)';
  return { ok: false, problem: `tools are missing on the node: ${missing.join(', ')}; ${advice}` };
}

/** The steps that make the engine, tools aside. */
export function stepsOf(wish: EngineWish): ProvisionStep[] {
  if (wish.mode === 'package') return ['package-install'];
  if (wish.mode === 'source') return ['git-clone', 'cmake-configure', 'cmake-build'];
  return archiveTools(wish.url) === undefined ? ['download'] : ['download', 'unpack'];
}

/** Settings of a build: a GPU pool's llama.cpp is built for CUDA unless somebody says otherwise. */
export function buildFlags({ build_flags }: SourceWish, { engine, backend }: EngineTarget): string[] {
  const isTold = build_flags.some((flag) => /^-DGGML_CUDA(:|=)/.test(flag));
  const cuda = engine === 'llamacpp' && backend === 'cuda' && !isTold ? ['-DGGML_CUDA=ON'] : [];
  return ['-DCMAKE_BUILD_TYPE=Release', ...cuda, ...build_flags];
}

/** What an engine is called that came about like this (B-PROV-009). */
export function providedVersion(wish: EngineWish, { engine, backend }: EngineTarget): string {
  const what =
    wish.mode === 'source'
      ? wish.ref
      : wish.mode === 'package'
        ? wish.package
        : `sha256-${wish.sha256.slice(0, 12)}`;
  return `${engine}-${wish.mode}:${what}-${backend}`.slice(0, 128);
}

/** What a step does, in words. */
export function doingOf(step: ProvisionStep, wish: EngineWish): string {
  switch (step) {
    case 'package-install':
      return wish.mode === 'package'
        ? `installing the package ${wish.package}`
        : 'installing the tools it takes';
    case 'git-clone':
      return wish.mode === 'source' ? `fetching the source at ${wish.ref}` : 'fetching the source';
    case 'cmake-configure':
      return 'configuring the build';
    case 'cmake-build':
      return 'building the engine';
    case 'download':
      return wish.mode === 'binary' ? `downloading ${nameOf(wish.url)}` : 'downloading the engine';
    case 'unpack':
      return 'unpacking the engine';
  }
}

/** An engine that is on the node. */
export interface ProvidedEngine {
  id: string;
  path: string;
  digest: string;
  version: string;
}

/** A launch as far as its engine is concerned. */
export interface ProvidedLaunch extends EngineBinding {
  engine_version: string;
  engine_digest: string | null;
  engine_catalog_id: string | null;
}

/** Version of a launch whose author did not know it. */
const UNKNOWN_VERSION = 'unknown';

/** The launch with its engine where it was made available. */
export function withProvidedEngine<T extends ProvidedLaunch>(launch: T, engine: ProvidedEngine): T {
  const { provisioning, provisioning_mode, engine_version } = launch;
  return {
    ...launch,
    binary_path: engine.path,
    provisioning_mode: provisioning?.mode ?? provisioning_mode,
    engine_version: engine_version === UNKNOWN_VERSION ? engine.version : engine_version,
    engine_digest: engine.digest,
    engine_catalog_id: engine.id,
  };
}

/** How a step's program ended, in one message with what it said last (B-PROV-012). */
export function stepFailure(
  step: EngineStep,
  { code, signal }: { code: number | null; signal: string | null },
  tail: string,
): string {
  const how =
    code === null ? `was ended by ${signal ?? 'nobody knows what'}` : `ended with exit code ${code}`;
  return `${step} ${how}${tail === '' ? '; it said nothing' : `:\n${tail}`}`;
}
