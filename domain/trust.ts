/** Whether a model may enter the catalogue: what it must show, and what is let pass with a warning (B-CAT-050, B-CAT-051). */

/** What a model shows. */
export interface TrustFacts {
  digest: string | null;
  sourceUrl: string | null;
  signatures: readonly { verified: boolean }[];
  hasSbom: boolean;
}

/** What is asked of it. */
export interface TrustDemands {
  /** Strict: a digest and a verified signature are needed, and every problem refuses. */
  strict: boolean;
  requireSignature: boolean;
  requireSbom: boolean;
  /** Hosts; empty: any. */
  allowedRegistries: readonly string[];
}

/** The verdict: what refuses the model, and what only is to be told. */
export interface TrustVerdict {
  problems: string[];
  warnings: string[];
}

/** Judges a model. A policy's own demands always hold; strictness turns every warning into a problem. */
export function judgeTrust(facts: TrustFacts, demands: TrustDemands): TrustVerdict {
  const { allowedRegistries } = demands;
  const host = hostOf(facts.sourceUrl);
  const findings = [
    {
      found: !facts.signatures.some(({ verified }) => verified),
      text: 'unsigned',
      demanded: demands.requireSignature,
    },
    { found: facts.digest === null, text: 'no digest', demanded: false },
    { found: demands.requireSbom && !facts.hasSbom, text: 'no sbom', demanded: true },
    {
      found: allowedRegistries.length > 0 && (host === undefined || !allowedRegistries.includes(host)),
      text: 'not from an allowed registry',
      demanded: true,
    },
  ].filter(({ found }) => found);
  const refuses = ({ demanded }: { demanded: boolean }) => demanded || demands.strict;
  return {
    problems: findings.filter(refuses).map(({ text }) => text),
    warnings: findings.filter((finding) => !refuses(finding)).map(({ text }) => text),
  };
}

/** Host of an address with a scheme; a domain has no use for a whole URL parser. */
function hostOf(url: string | null): string | undefined {
  return /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#@]*@)?([^/?#]+)/i.exec(url ?? '')?.[1]?.toLowerCase();
}
