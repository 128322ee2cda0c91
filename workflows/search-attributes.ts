/** Typed keys of the search attributes (`domain/search-attributes.ts` lists them and says what they are for). */
import { defineSearchAttributeKey } from '@temporalio/common';

/** Pool that serves. */
export const PoolId = defineSearchAttributeKey('PoolId', 'KEYWORD');
/** Node that has the task or the pool; kept up to date at re-placement. */
export const NodeId = defineSearchAttributeKey('NodeId', 'KEYWORD');
/** Engine kind. */
export const Engine = defineSearchAttributeKey('Engine', 'KEYWORD');
/** Model as the request named it. */
export const ModelRef = defineSearchAttributeKey('ModelRef', 'KEYWORD');
/** State of a task, `domain/task.ts`. */
export const TaskState = defineSearchAttributeKey('TaskState', 'KEYWORD');
/** Why the tokens stopped. */
export const StopReason = defineSearchAttributeKey('StopReason', 'KEYWORD');
/** Id that follows one request through everything. */
export const CorrelationId = defineSearchAttributeKey('CorrelationId', 'KEYWORD');
/** Tokens generated. */
export const TokensOut = defineSearchAttributeKey('TokensOut', 'INT');
/** When the first token came. */
export const FirstTokenAt = defineSearchAttributeKey('FirstTokenAt', 'DATETIME');
/** When the task ended. */
export const EndedAt = defineSearchAttributeKey('EndedAt', 'DATETIME');
