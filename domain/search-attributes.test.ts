import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { missingSearchAttributes, registerCommand, SEARCH_ATTRIBUTES } from './search-attributes.js';

describe('search attributes', () => {
  it('names what a namespace lacks, in the order of the table', () => {
    const registered = Object.keys(SEARCH_ATTRIBUTES).filter(
      (name) => name !== 'TokensOut' && name !== 'PoolId',
    );

    assert.deepEqual(missingSearchAttributes([...registered, 'SomebodyElses']), ['PoolId', 'TokensOut']);
    assert.deepEqual(missingSearchAttributes(Object.keys(SEARCH_ATTRIBUTES)), []);
  });

  it('spells the command that registers them, each with its type', () => {
    assert.equal(
      registerCommand('prod', ['PoolId', 'TokensOut', 'EndedAt']),
      'temporal operator search-attribute create --namespace prod ' +
        '--name PoolId --type Keyword --name TokensOut --type Int --name EndedAt --type Datetime',
    );
  });
});
