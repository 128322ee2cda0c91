import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeTrust, type TrustDemands, type TrustFacts } from './trust.js';

const GOOD: TrustFacts = {
  digest: 'sha256:x',
  sourceUrl: 'https://user@Models.Example/m',
  signatures: [{ verified: false }, { verified: true }],
  hasSbom: true,
};
const NOTHING: TrustDemands = {
  strict: false,
  requireSignature: false,
  requireSbom: false,
  allowedRegistries: [],
};

const rows: [string, Partial<TrustFacts>, Partial<TrustDemands>, string[], string[]][] = [
  [
    'a model with everything passes the strictest',
    {},
    { strict: true, requireSbom: true, allowedRegistries: ['models.example'] },
    [],
    [],
  ],
  ['without a signature it is warned of', { signatures: [] }, {}, [], ['unsigned']],
  [
    'a signature that is not verified is none',
    { signatures: [{ verified: false }] },
    { strict: true },
    ['unsigned'],
    [],
  ],
  ['a demanded signature refuses', { signatures: [] }, { requireSignature: true }, ['unsigned'], []],
  ['strictness needs a digest', { digest: null }, { strict: true }, ['no digest'], []],
  ['without strictness a digest is only missed', { digest: null }, {}, [], ['no digest']],
  ['a demanded sbom refuses', { hasSbom: false }, { requireSbom: true }, ['no sbom'], []],
  ['an sbom that nobody demands is not missed', { hasSbom: false }, { strict: true }, [], []],
  [
    'another registry refuses',
    {},
    { allowedRegistries: ['other.example'] },
    ['not from an allowed registry'],
    [],
  ],
  [
    'no source is from no registry',
    { sourceUrl: null },
    { allowedRegistries: ['models.example'] },
    ['not from an allowed registry'],
    [],
  ],
];
for (const [title, facts, demands, problems, warnings] of rows) {
  test(`B-CAT-050, B-CAT-051: ${title}`, () => {
    assert.deepEqual(judgeTrust({ ...GOOD, ...facts }, { ...NOTHING, ...demands }), { problems, warnings });
  });
}
