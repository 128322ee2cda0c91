/** From a request's settings to what llama.cpp's sampler takes. */
import type { Constraint, GenerationSettings } from './generation-request.js';
import { invalid } from './http-error.js';
import type { EvaluateOptions, GrammarState, TokenId } from './llama-types.js';
import type { Engine } from './load-engine.js';

/** node-llama-cpp's JSON grammars allow line feeds without end after the value; no JSON text contains four of them. */
const JSON_END = '\n\n\n\n';

/** Compiles what the text must look like; throws 400 when that is not possible. */
export async function createGrammarState(
  engine: Engine,
  constraint: Constraint | undefined,
): Promise<GrammarState | undefined> {
  if (constraint === undefined) return undefined;
  try {
    switch (constraint.kind) {
      case 'gbnf':
        return engine.newGrammarState(await engine.llama.createGrammar({ grammar: constraint.grammar }));
      case 'json-schema':
        return engine.newGrammarState(await engine.llama.createGrammarForJsonSchema(constraint.schema));
      case 'json':
        return engine.newGrammarState(await engine.llama.getGrammarFor('json'));
    }
  } catch (error) {
    throw invalid(`The grammar is not usable: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/**
 * The sampler's options.
 *
 * @param history prompt and answer so far; the caller adds to it, and the penalties look at it
 */
export function samplingOptions(
  settings: GenerationSettings,
  history: readonly TokenId[],
  grammarEvaluationState: GrammarState | undefined,
): EvaluateOptions {
  const { temperature, topK, topP, minP, seed } = settings;
  return {
    temperature,
    topK,
    topP,
    minP,
    seed,
    yieldEogToken: true,
    ...(grammarEvaluationState === undefined ? {} : { grammarEvaluationState }),
    ...penalties(settings, history),
  };
}

/** The texts that end a generation: the client's, and the end of a JSON value. */
export function stopWords({ stop, constraint }: GenerationSettings): readonly string[] {
  return constraint === undefined || constraint.kind === 'gbnf' ? stop : [...stop, JSON_END];
}

/** llama-server's penalties; left out when they have no effect, because they cost time. */
function penalties(
  settings: GenerationSettings,
  history: readonly TokenId[],
): Pick<EvaluateOptions, 'repeatPenalty'> {
  const { repeatPenalty, repeatLastN, presencePenalty, frequencyPenalty } = settings;
  if (repeatLastN === 0 || (repeatPenalty === 1 && presencePenalty === 0 && frequencyPenalty === 0))
    return {};
  const span = repeatLastN < 0 ? Number.MAX_SAFE_INTEGER : repeatLastN;
  return {
    repeatPenalty: {
      punishTokens: () => history.slice(-span),
      maxPunishTokens: repeatLastN < 0 ? history.length : repeatLastN,
      penalty: repeatPenalty,
      presencePenalty,
      frequencyPenalty,
    },
  };
}

/** Whether a stop word is the end of a JSON value, which to the client is the model's own end. */
export function isOwnEnd({ stop }: GenerationSettings, stoppingWord: string): boolean {
  return stoppingWord === JSON_END && !stop.includes(stoppingWord);
}
