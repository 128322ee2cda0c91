/** Replicas of one pool are exchangeable only where they are of one build and sample alike (B-DP-191). */

/** What all replicas of a set have in common; null or absent where nobody said. */
export interface ReplicaVersions {
  engine_version?: string | null | undefined;
  sampler_profile_version?: string | null | undefined;
}

/** Why a replica is none of this set; undefined where nothing is known against it. */
export function mixedSetProblem(
  replica: ReplicaVersions,
  others: readonly ReplicaVersions[],
): string | undefined {
  for (const [field, name] of [
    ['engine_version', 'engine version'],
    ['sampler_profile_version', 'sampler profile'],
  ] as const) {
    const own = known(replica[field]);
    const other = others
      .map((one) => known(one[field]))
      .find((value) => value !== undefined && value !== own);
    if (own !== undefined && other !== undefined)
      return `its pool serves with ${name} ${other}, and this one has ${own}: one set has one`;
  }
  return undefined;
}

/** `unknown` is what a program is called that does not tell its version. */
function known(version: string | null | undefined): string | undefined {
  return version === null || version === 'unknown' ? undefined : version;
}
