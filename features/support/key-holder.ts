/** Keys that a scenario has made, by whom they are for. */
import { keyMade, type KeyMade } from '../../contracts/key.js';
import type { Requests } from './requests.js';

/** Keys of one scenario. */
export class KeyHolder {
  private readonly made = new Map<string, KeyMade>();

  constructor(private readonly http: Requests) {}

  /** Makes a key; the answer is the scenario's last one. */
  async make(name: string, role: string): Promise<void> {
    const { json } = await this.http.send('POST', '/v2/keys', { body: { name, role } });
    this.made.set(name, keyMade.parse(json));
  }

  /** Takes it away again. */
  async revoke(name: string): Promise<void> {
    await this.http.send('DELETE', `/v2/keys/${this.of(name).id}`);
  }

  /** The key that was made for this. @throws Error when none was */
  of(name: string): KeyMade {
    const made = this.made.get(name);
    if (made === undefined) throw new Error(`no key was made for ${name}`);
    return made;
  }
}
