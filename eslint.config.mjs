/**
 * Lint: typescript-eslint's strict, type-checked rules. Which room may import which is dependency-cruiser's matter; here
 * stands what a file must not do.
 */
import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

const NODE_GLOBALS = [
  'AbortController',
  'Buffer',
  'URL',
  'clearTimeout',
  'console',
  'process',
  'setTimeout',
  'setImmediate',
];

/** `node:test` answers promises that its runner awaits by itself. */
const TEST_CALLS = ['describe', 'it', 'test', 'before', 'after', 'beforeEach', 'afterEach', 'suite'];

export default defineConfig(
  { ignores: ['dist/', '.runtime/', '**/node_modules/', '.test-logs/', 'workflows/histories/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': [
        'error',
        { allowForKnownSafeCalls: [{ from: 'package', package: 'node:test', name: TEST_CALLS }] },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      // A number or a flag in a message reads as it is; the rule's purpose, objects and undefined, stays.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      // `() => done()` reads well, and a void result is nothing to confuse.
      '@typescript-eslint/no-confusing-void-expression': 'off',
      // A leading underscore names a parameter that a signature asks for.
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      'no-console': 'error',
      'no-restricted-syntax': [
        'error',
        { selector: 'TSEnumDeclaration', message: 'a union of strings says the same on the wire' },
        { selector: 'TSModuleDeclaration[kind="namespace"]', message: 'a file is the namespace' },
        { selector: 'Decorator', message: 'plain functions' },
      ],
    },
  },
  {
    // Fastify's types are extended by merging declarations.
    files: ['api/plugins/**/*.ts'],
    rules: { 'no-restricted-syntax': 'off' },
  },
  {
    // The rules of Temporal's sandbox: what a replay would see differently.
    files: ['workflows/**/*.ts'],
    ignores: ['**/*.test.ts'],
    rules: {
      'no-restricted-globals': ['error', 'process', 'fetch', 'setImmediate', 'queueMicrotask', 'performance'],
    },
  },
  {
    files: ['**/*.test.ts', 'features/**/*.ts', 'testing/**/*.ts'],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      // In-memory twins keep the signature of what they stand for.
      '@typescript-eslint/require-await': 'off',
    },
  },
  {
    // Loops over arrays whose size is known: a check at each of a billion steps is what makes the model slow to make.
    files: ['engines/demo-model/**/*.ts'],
    rules: { '@typescript-eslint/no-non-null-assertion': 'off' },
  },
  {
    files: ['bench/**/*.ts'],
    rules: { 'no-console': 'off' },
  },
  {
    files: ['**/*.mjs', '**/*.cjs'],
    languageOptions: {
      globals: Object.fromEntries([...NODE_GLOBALS, 'module'].map((name) => [name, 'readonly'])),
    },
    rules: { 'no-console': 'error' },
  },
);
