import assert from 'node:assert/strict';
import { test } from 'node:test';
import { budgetsLeft, FRESH_SESSION, misfits, type SessionLimits } from './session-limits.js';

const LIMITS: SessionLimits = {
  turns: 8,
  tokens: undefined,
  timeMs: 600_000,
  cost: undefined,
  tokenPrice: 0.5,
};
const wish = (tokens: number) => ({ field: 'max_tokens' as const, tokens });

const ROWS = [
  ['nothing is limited', {}, {}, 1e9, []],
  ['as many tokens as are left', { tokens: 100 }, { tokensUsed: 60 }, 40, []],
  ['one token more', { tokens: 100 }, { tokensUsed: 60 }, 41, ['max_tokens']],
  ['tokens that others may put out', { tokens: 100 }, { tokensReserved: 60 }, 41, ['max_tokens']],
  ['no token is left, and none is expected', { tokens: 100 }, { tokensUsed: 100 }, 0, ['max_tokens']],
  ['the last millisecond', {}, { timeUsedMs: 599_999 }, 1, []],
  ['no time is left', {}, { timeUsedMs: 600_000 }, 1, ['session_id']],
  ['as much as can be paid', { cost: 10 }, { costUsed: 5 }, 10, []],
  ['more than can be paid', { cost: 10 }, { costUsed: 5 }, 11, ['max_tokens']],
  ['others may cost that', { cost: 10 }, { tokensReserved: 10 }, 11, ['max_tokens']],
  ['no turn and no token', { tokens: 1 }, { turns: 8, tokensUsed: 1 }, 1, ['session_id', 'max_tokens']],
] as const;
for (const [what, limits, standing, tokens, fields] of ROWS) {
  test(`B-DP-092: into a session goes what fits: ${what}`, () => {
    const found = misfits({ ...LIMITS, ...limits }, { ...FRESH_SESSION, ...standing }, wish(tokens));
    assert.deepEqual(
      found.map(({ field }) => field),
      fields,
    );
  });
}

test('B-DP-091: what is left is never below zero, and null where nothing is limited', () => {
  const standing = { ...FRESH_SESSION, tokensUsed: 30, timeUsedMs: 700_000, costUsed: 4 };
  assert.deepEqual(budgetsLeft(LIMITS, standing), { tokens: null, timeMs: 0, cost: null });
  const limits = { ...LIMITS, tokens: 40, cost: 3 };
  assert.deepEqual(budgetsLeft(limits, standing), { tokens: 10, timeMs: 0, cost: 0 });
});
