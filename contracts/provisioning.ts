/** Engines that a node makes available before it starts them: from their source, by download, as a package (B-PROV-001..012). */
import { isAbsolute } from 'node:path';
import { z } from 'zod';
import {
  nameOf,
  type EngineTarget,
  type ProvisionStep,
  type ProvidedEngine,
} from '../domain/engine-provision.js';
import { isInnerPath } from '../domain/model-source.js';

const LONGEST_URL = 2_048;
/** A build that takes more of them is a script of its own. */
const MOST_FLAGS = 100;

const program = z.string().refine(isInnerPath, 'must be a path below the folder of the engine');

/** Git gets no other protocol: some of them run commands. Whoever needs a password gives the node its key for SSH. */
const repository = z
  .string()
  .max(LONGEST_URL)
  .regex(/^(https|ssh|file):\/\/[^\s"'\\]+$/, 'must be an address by https, ssh or file')
  .refine(
    (address) => !/^(https:\/\/[^/]*@|[a-z]+:\/\/[^/]*:[^/@]*@)/.test(address),
    'must not hold a user or a password',
  );

const ref = z
  .string()
  .max(200)
  .regex(/^[A-Za-z0-9](?:[A-Za-z0-9._/+-]*[A-Za-z0-9])?$/, 'must be a branch, a tag or a commit')
  .refine((name) => !name.includes('..'), 'must be a branch, a tag or a commit');

const buildFlag = z
  .string()
  .max(1_024)
  .regex(/^-D[A-Za-z0-9_]+(:[A-Z]+)?=[^\0\r\n]*$/, 'must be -D<NAME>=<value>');

/** What is said of an engine that is built. */
export const sourceFields = {
  repository: repository.meta({ description: 'git repository with a CMake project' }),
  ref: ref.meta({ description: 'one that was built is not built again: name a tag or a commit' }),
  build_flags: z
    .array(buildFlag)
    .max(MOST_FLAGS)
    .default([])
    .meta({ description: '`-DGGML_CUDA=ON` is added for llama.cpp on CUDA' }),
  target: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,199}$/, 'must be the name of a target')
    .optional()
    .meta({ description: 'what is built of it; without it everything' }),
  program: program
    .optional()
    .meta({ description: "below the build's folder; for `llamacpp` `bin/llama-server` unless it is said" }),
};

/** What is said of an engine that is downloaded. */
export const downloadFields = {
  url: z
    .url({ protocol: /^https?$/ })
    .max(LONGEST_URL)
    .refine(
      (url) => /^[A-Za-z0-9_+-][A-Za-z0-9._+-]{0,199}$/.test(nameOf(url)),
      'must end in the name of a file',
    )
    .meta({
      description: 'the program, or a .tar, .tar.gz, .tar.xz or .zip with it; by HTTPS, or from this machine',
    }),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in 64 hex digits'),
  program: program.optional().meta({ description: "below the archive's folder" }),
};

/** What is said of an engine that is a package of the node's system. */
export const packageFields = {
  package: z.string().regex(/^[a-z0-9][a-z0-9+.-]{1,99}$/, 'must be the name of a Debian package'),
  version: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9.+~:-]{0,99}$/, 'must be the version of a Debian package')
    .optional(),
  program: z
    .string()
    .max(4_096)
    .refine(
      (name) => isAbsolute(name) || /^[A-Za-z0-9._+-]+$/.test(name),
      'must be a name or an absolute path',
    )
    .meta({ description: 'on the PATH, or an absolute path' }),
};

/** How a node gets an engine that it does not have. */
export const engineProvisioning = z
  .discriminatedUnion('mode', [
    z.strictObject({ mode: z.literal('source'), ...sourceFields }),
    z.strictObject({ mode: z.literal('binary'), ...downloadFields }),
    z.strictObject({ mode: z.literal('package'), ...packageFields }),
  ])
  .meta({ id: 'EngineProvisioning' });

/** Its type. */
export type EngineProvisioning = z.infer<typeof engineProvisioning>;

/** An engine that is wanted on a node. */
export interface EngineOrder extends EngineTarget {
  pool_id: string;
  provisioning: EngineProvisioning;
}

/** What the node found before anything is made. */
export interface EnginePlan {
  engine_id: string;
  /** The engine, where it is there already. */
  present: ProvidedEngine | null;
  steps: ProvisionStep[];
}

/** One step of it. */
export interface EngineStepOrder extends EngineOrder {
  engine_id: string;
  step: ProvisionStep;
}

/** An engine that was made available, as its node keeps it (B-CAT-055). */
export const engineRecord = z.object({
  id: z.string(),
  engine: z.string(),
  version: z.string(),
  build_ref: z.string().nullable(),
  digest: z.string(),
  build_flags: z.array(z.string()),
  artifacts: z.array(z.string()),
  created_ms: z.int(),
});

/** Its type. */
export type EngineRecord = z.infer<typeof engineRecord>;
