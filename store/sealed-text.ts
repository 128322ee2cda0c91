/** Text at rest: sealed with the payload keys, as run logs are; the key's id stands before what it sealed. */

/** Seals and opens; the payload keys do. */
export interface Seal {
  seal: (plain: Uint8Array) => { keyId: string; bytes: Buffer };
  open: (sealed: { keyId: string; bytes: Uint8Array }) => Buffer;
}

/** `key id length u8 | key id | sealed bytes`. */
export function sealText(text: string, seal: Seal): Buffer {
  const { keyId, bytes } = seal.seal(Buffer.from(text));
  const id = Buffer.from(keyId, 'latin1');
  return Buffer.concat([Buffer.of(id.length), id, bytes]);
}

/** @throws Error when the key is not configured any more, or the bytes were changed */
export function openText(sealed: Uint8Array, seal: Seal): string {
  const bytes = Buffer.from(sealed);
  const end = 1 + bytes.readUInt8(0);
  return seal.open({ keyId: bytes.toString('latin1', 1, end), bytes: bytes.subarray(end) }).toString('utf8');
}
