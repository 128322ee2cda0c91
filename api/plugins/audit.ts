/**
 * The audit log of the API: who was let in or not, and what operators did. A route names its event in
 * `config: { audit }`; it is noted before the work begins and, with the answer's status, before the answer leaves, so that
 * nothing that was answered is missing.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { AuditEvent } from '../../security/audit/audit-chain.js';
import type { Audit } from '../../security/audit/audit-log.js';
import { createAccessNotes } from '../keys/access-notes.js';
import { noLongerThan } from '../no-longer-than.js';

/** A disk that hangs holds nobody up for longer: the entry is written when it goes on. */
const PATIENCE_MS = 2_000;

/** Where entries go. */
export interface AuditOptions {
  audit: Audit;
  now: () => number;
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Notes that a request was let in, or why not; of many the first ones. */
    noteAccess: (request: FastifyRequest, identity: string | undefined, refusal?: string) => void;
  }
  interface FastifyRequest {
    /** What the entry of the answer says besides; null where there is none. */
    auditDetails: Record<string, string | number | null> | null;
  }
  interface FastifyContextConfig {
    /** Event under which the audit log has requests of this route. */
    audit?: string;
  }
}

/** Notes what happens. */
export const auditTrail = fp<AuditOptions>(
  (app: FastifyInstance, { audit, now }, done) => {
    const notes = createAccessNotes(audit, now);
    app.decorateRequest('auditDetails', null);
    app.decorate('noteAccess', (request, identity, refusal) => {
      // The route's pattern: an address may hold a secret.
      const where = { path: request.routeOptions.url ?? null, correlation_id: request.id };
      if (refusal === undefined) notes.accepted(identity ?? 'unknown', where);
      else notes.refused(identity ?? 'unknown', refusal, where);
    });
    app.addHook('preHandler', async (request) => {
      const event = eventOf(request, { phase: 'asked' });
      if (event === undefined) return;
      request.auditDetails = {};
      await noLongerThan(PATIENCE_MS, audit.record(event));
    });
    app.addHook('onSend', async (request, reply, payload) => {
      if (request.auditDetails === null) return payload;
      const event = eventOf(request, {
        phase: 'answered',
        status: reply.statusCode,
        ...request.auditDetails,
      });
      if (event !== undefined) await noLongerThan(PATIENCE_MS, audit.record(event));
      return payload;
    });
    done();
  },
  { name: 'audit', fastify: '5.x', dependencies: ['correlation-id'] },
);

function eventOf(request: FastifyRequest, details: AuditEvent['details']): AuditEvent | undefined {
  const { audit: event_type } = request.routeOptions.config;
  if (event_type === undefined) return undefined;
  const { id: target } = request.params as { id?: string }; // The hook is typed for any route.
  return {
    event_type,
    actor: request.identity ?? 'unknown',
    details: { target, ...details, correlation_id: request.id },
  };
}
