/** Pieces of tool calls as chat routes stream them, made alike: id and name once, at the beginning of each call. */
import { randomUUID } from 'node:crypto';
import { DroverError } from '../../../contracts/errors.js';
import type { ToolCallDelta } from '../../../contracts/tools.js';

/** A piece as an engine tells it. */
export interface ToldDelta {
  index?: number | null;
  id?: string | null;
  function?: { name?: string | null; arguments?: string | null } | null;
}

/** The calls of one answer. */
export class ToolDeltas {
  private readonly known = new Set<number>();

  /**
   * One piece, or undefined for one that says nothing new. TGI's last chunk begins a call again that has just ended
   * (router/src/chat.rs, 3.3): `isLast` keeps that out.
   * @throws DroverError WORKER_RESET for a call without a name
   */
  take(told: ToldDelta, isLast: boolean): ToolCallDelta | undefined {
    const index = told.index ?? 0;
    const name = told.function?.name ?? '';
    const rest = told.function?.arguments ?? '';
    if (this.known.has(index))
      return rest === '' || (isLast && name !== '') ? undefined : { index, arguments: rest };
    if (name === '') throw new DroverError('WORKER_RESET', 'the engine calls a tool without a name');
    this.known.add(index);
    // Ids are the client's to refer to calls by; TGI calls every one of them "0".
    const id =
      told.id === undefined || told.id === null || told.id.length < 2 ? `call_${randomUUID()}` : told.id;
    return { index, id, name, arguments: rest };
  }
}
