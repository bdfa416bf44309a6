// Recordings of terminals: the key pair of an organisation, the format of docs/RECORDING.md, and what an asciicast says.
// The passphrase and everything that it opens stay in this browser.

const ROUNDS = 600_000;
const INFO = new TextEncoder().encode("gatelodge recording key 1");
const MAGIC = new TextEncoder().encode("gl-rec\0\x01");
const TAG = 16;

export const text = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

const bytes = (base64url) =>
  Uint8Array.from(atob(base64url.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));

const joined = (...parts) => new Uint8Array(parts.flatMap((part) => [...new Uint8Array(part)]));

async function wrapping(passphrase, salt, rounds, use) {
  const secret = new TextEncoder().encode(passphrase.normalize("NFC"));
  const key = await crypto.subtle.importKey("raw", secret, "PBKDF2", false, ["deriveKey"]);
  const how = { name: "PBKDF2", hash: "SHA-256", salt, iterations: rounds };
  return crypto.subtle.deriveKey(how, key, { name: "AES-GCM", length: 256 }, false, [use]);
}

// A new key pair, its private half under the passphrase.
export async function make(passphrase) {
  const pair = await crypto.subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, true, ["deriveBits"]);
  const [salt, nonce] = [crypto.getRandomValues(new Uint8Array(16)), crypto.getRandomValues(new Uint8Array(12))];
  const [open, secret] = await Promise.all([
    crypto.subtle.exportKey("raw", pair.publicKey),
    crypto.subtle.exportKey("pkcs8", pair.privateKey),
  ]);
  const key = await wrapping(passphrase, salt, ROUNDS, "encrypt");
  const wrapped = await crypto.subtle.encrypt({ name: "AES-GCM", iv: nonce }, key, secret);
  return { public_key: text(open), salt: text(salt), rounds: ROUNDS, nonce: text(nonce), wrapped: text(wrapped) };
}

// The private half again; what the passphrase does not open is refused as `passphrase`.
async function unwrap(kept, passphrase) {
  const key = await wrapping(passphrase, bytes(kept.salt), kept.rounds, "decrypt");
  const secret = await crypto.subtle
    .decrypt({ name: "AES-GCM", iv: bytes(kept.nonce) }, key, bytes(kept.wrapped))
    .catch(() => { throw new Error("passphrase"); });
  return crypto.subtle.importKey("pkcs8", secret, { name: "ECDH", namedCurve: "P-256" }, false, ["deriveBits"]);
}

function head(file) {
  if (file.length < 41 || MAGIC.some((byte, at) => file[at] !== byte)) throw new Error("damaged");
  const count = file[40];
  const recipients = [];
  for (let number = 0, at = 41; number < count; number += 1, at += 129) {
    if (at + 129 > file.length) throw new Error("damaged");
    recipients.push({
      id: text(file.subarray(at, at + 16)),
      key: file.subarray(at, at + 16),
      ephemeral: file.subarray(at + 16, at + 81),
      wrapped: file.subarray(at + 81, at + 129),
    });
  }
  return { recipients, length: 41 + 129 * count };
}

async function fileKey(file, recipient, kept, secret) {
  const point = await crypto.subtle
    .importKey("raw", recipient.ephemeral, { name: "ECDH", namedCurve: "P-256" }, false, []);
  const shared = await crypto.subtle.deriveBits({ name: "ECDH", public: point }, secret, 256);
  const salt = joined(recipient.ephemeral, bytes(kept.public_key));
  const derived = await crypto.subtle.importKey("raw", shared, "HKDF", false, ["deriveKey"]);
  const how = { name: "HKDF", hash: "SHA-256", salt, info: INFO };
  const key = await crypto.subtle.deriveKey(how, derived, { name: "AES-GCM", length: 256 }, false, ["decrypt"]);
  const binding = joined(file.subarray(0, 40), recipient.key);
  const gcm = { name: "AES-GCM", iv: new Uint8Array(12), additionalData: binding };
  const opened = await crypto.subtle.decrypt(gcm, key, recipient.wrapped).catch(() => { throw new Error("damaged"); });
  return crypto.subtle.importKey("raw", opened, "AES-GCM", false, ["decrypt"]);
}

// The asciicast in a file, and whether its end is there. Throws `passphrase`, `stranger` or `damaged`.
export async function decrypt(file, keys, passphrase) {
  const { recipients, length } = head(file);
  const ids = await Promise.all(keys.map(async (kept) => {
    const digest = await crypto.subtle.digest("SHA-256", bytes(kept.public_key));
    return text(digest.slice(0, 16));
  }));
  const recipient = recipients.find((known) => ids.includes(known.id));
  if (!recipient) throw new Error("stranger");
  const kept = keys[ids.indexOf(recipient.id)];
  const key = await fileKey(file, recipient, kept, await unwrap(kept, passphrase));
  const bound = await crypto.subtle.digest("SHA-256", file.subarray(0, length));
  const [pieces, view] = [[], new DataView(file.buffer, file.byteOffset, file.byteLength)];
  let [at, number, ended] = [length, 0, false];
  while (at < file.length && !ended) {
    if (at + 4 > file.length) break;
    const word = view.getUint32(at);
    const [size, last] = [word & 0x7fffffff, word >>> 31];
    at += 4;
    if (size < TAG || at + size > file.length) break;
    const nonce = new Uint8Array(12);
    new DataView(nonce.buffer).setUint32(7, number);
    nonce[11] = last;
    const gcm = { name: "AES-GCM", iv: nonce, additionalData: bound };
    const piece = await crypto.subtle
      .decrypt(gcm, key, file.subarray(at, at + size))
      .catch(() => { throw new Error("damaged"); });
    pieces.push(new Uint8Array(piece));
    at += size;
    number += 1;
    ended = last === 1;
  }
  if (ended && at < file.length) throw new Error("damaged");
  return { cast: await new Blob(pieces).text(), ended };
}

// The header and the events of an asciicast, version 2; a last line that was cut off is left out.
export function read(cast) {
  const lines = cast.split("\n").filter((line) => line);
  const header = JSON.parse(lines[0]);
  const events = [];
  for (const line of lines.slice(1)) {
    try {
      const [at, kind, data] = JSON.parse(line);
      events.push({ at, kind, data });
    } catch {
      break;
    }
  }
  return { header, events, length: events.at(-1)?.at ?? 0 };
}
