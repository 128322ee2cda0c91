/** How commands watch what goes on at the API, for as long as it takes. */
import { followStream, type FollowWish } from '../client/follow.js';
import type { Session } from '../session.js';

/** Follows a stream that has no end in time: what comes, keep-alives included, shows that somebody is there. @throws as `followStream` */
export function followProgress(
  { http, out }: Session,
  wish: Pick<FollowWish, 'kind' | 'path' | 'take'>,
): Promise<void> {
  const { connectMs, idleMs } = http.limits;
  return followStream(http, {
    ...wish,
    limits: { connectMs, firstEventMs: undefined, idleMs, commentsCount: true },
    onCut: (reason) => out.note(`${reason}; connecting again`),
  });
}
