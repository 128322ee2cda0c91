/** What the engine says about itself: `/v1/models`, `/props`, `/slots`, `/metrics`. */
import { describeSettings, readSettings } from './generation-request.js';
import { HttpError } from './http-error.js';
import type { Exchange } from './http-exchange.js';
import type { Engine } from './load-engine.js';
import { Fields } from './request-fields.js';
import type { Slot } from './slots.js';

/** How llama-server shows that a seed is drawn for each request. */
const DRAWN_SEED = 2 ** 32 - 1;

/** The one model, in OpenAI's words and with llama-server's `meta`. */
export function answerModels(engine: Engine, exchange: Exchange): void {
  const { model, name, pieces, slotContextSize, startedAt } = engine;
  exchange.sendJson({
    object: 'list',
    data: [
      {
        id: name,
        object: 'model',
        created: Math.floor(startedAt / 1000),
        owned_by: 'llamacpp',
        meta: {
          n_vocab: pieces.count,
          n_ctx: slotContextSize,
          n_ctx_train: model.trainContextSize,
          n_embd: model.embeddingVectorSize,
          size: model.size,
        },
      },
    ],
  });
}

/** Settings that hold for every request. */
export function answerProps(engine: Engine, exchange: Exchange): void {
  const { model, args } = engine;
  exchange.sendJson({
    default_generation_settings: {
      params: { ...describeSettings(readSettings(new Fields({}))), seed: DRAWN_SEED },
      n_ctx: engine.slotContextSize,
    },
    total_slots: engine.pool.slots.length,
    model_alias: engine.name,
    model_path: engine.modelPath,
    modalities: { vision: false, audio: false },
    endpoint_slots: true,
    endpoint_props: false,
    endpoint_metrics: args.metrics,
    chat_template: engine.chatTemplate.source,
    // Whatever the template knows: this engine reads no calls out of an answer.
    chat_template_caps: { supports_tools: false, supports_tool_calls: false },
    bos_token: model.tokens.bosString ?? '',
    eos_token: model.tokens.eosString ?? '',
    build_info: `embedded-engine (${engine.backend})`,
    backend: engine.backend,
    n_gpu_layers: model.gpuLayers,
    n_threads: args.threads,
    is_sleeping: false,
  });
}

/** Every slot; with `?fail_on_no_slot=1` a 503 when none is idle. */
export function answerSlots({ pool }: Engine, exchange: Exchange): void {
  if (exchange.url.searchParams.has('fail_on_no_slot') && pool.busy === pool.slots.length) {
    throw new HttpError('unavailable_error', 'no slot available');
  }
  exchange.sendJson(pool.slots.map(describeSlot));
}

/** Counters, if they were asked for at the start. */
export function answerMetrics({ args, metrics, pool }: Engine, exchange: Exchange): void {
  if (!args.metrics) {
    throw new HttpError(
      'not_supported_error',
      'This server does not support metrics endpoint. Start it with `--metrics`',
    );
  }
  exchange.sendText('text/plain; version=0.0.4; charset=utf-8', metrics.render(pool));
}

function describeSlot({ id, contextSize, busy, work }: Slot): Record<string, unknown> {
  const common = { id, n_ctx: contextSize, speculative: false, is_processing: busy };
  if (work === undefined) return common;
  const { taskId, promptTokens, settings, maxTokens, generated } = work;
  return {
    ...common,
    id_task: taskId,
    n_prompt_tokens: promptTokens,
    params: settings,
    next_token: [
      {
        has_next_token: true,
        n_remain: maxTokens === undefined ? -1 : maxTokens - generated,
        n_decoded: generated,
      },
    ],
  };
}
