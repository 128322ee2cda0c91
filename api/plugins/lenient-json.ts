/** What bodies are taken: JSON, or nothing at all under a JSON content type, as many clients send with a bare POST. */
import fp from 'fastify-plugin';

/** Replaces the JSON parser and drops the one for plain text. */
export const lenientJson = fp(
  (app, _options, done) => {
    const parse = app.getDefaultJsonParser('error', 'error');
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, next) => {
      if (body === '') next(null, undefined);
      else void parse(request, body as string, next); // `parseAs` makes it one.
    });
    done();
  },
  { name: 'lenient-json', fastify: '5.x' },
);
