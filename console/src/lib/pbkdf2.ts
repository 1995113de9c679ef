/**
 * PBKDF2 with HMAC-SHA-256 (RFC 8018, FIPS 180-4), for pages that come over plain HTTP from another machine: browsers keep
 * their own, `crypto.subtle`, from them.
 */

const BLOCK_BYTES = 64;
const HASH_BYTES = 32;
const HASH_WORDS = 8;

/** The first 32 bits of the fractional parts of roots of primes, which is what the standard's constants are. */
function fractions(count: number, root: (value: number) => number): Int32Array {
  const found: number[] = [];
  for (let value = 2; found.length < count; value += 1) {
    let isPrime = true;
    for (let factor = 2; factor * factor <= value; factor += 1) if (value % factor === 0) isPrime = false;
    if (isPrime) found.push(((root(value) % 1) * 2 ** 32) | 0);
  }
  return Int32Array.from(found);
}

const FIRST = fractions(HASH_WORDS, Math.sqrt);
const ROUNDS = fractions(BLOCK_BYTES, Math.cbrt);
const schedule = new Int32Array(BLOCK_BYTES);

const at = (words: Int32Array, place: number): number => words[place] as number; // places here are always inside

/** Take one block of sixteen words into the state. */
function compress(state: Int32Array, block: Int32Array): void {
  const w = schedule;
  w.set(block);
  for (let i = 16; i < BLOCK_BYTES; i += 1) {
    const x = at(w, i - 15);
    const y = at(w, i - 2);
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[i] = (at(w, i - 16) + s0 + at(w, i - 7) + s1) | 0;
  }
  let a = at(state, 0);
  let b = at(state, 1);
  let c = at(state, 2);
  let d = at(state, 3);
  let e = at(state, 4);
  let f = at(state, 5);
  let g = at(state, 6);
  let h = at(state, 7);
  for (let i = 0; i < BLOCK_BYTES; i += 1) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const first = (h + s1 + ((e & f) ^ (~e & g)) + at(ROUNDS, i) + at(w, i)) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const second = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + first) | 0;
    d = c;
    c = b;
    b = a;
    a = (first + second) | 0;
  }
  state[0] = at(state, 0) + a;
  state[1] = at(state, 1) + b;
  state[2] = at(state, 2) + c;
  state[3] = at(state, 3) + d;
  state[4] = at(state, 4) + e;
  state[5] = at(state, 5) + f;
  state[6] = at(state, 6) + g;
  state[7] = at(state, 7) + h;
}

/** Bytes as big-endian words, with the standard's end after them; `before` bytes were taken in already. */
function padded(bytes: Uint8Array, before: number): Int32Array {
  const whole = new Uint8Array(Math.ceil((bytes.length + 9) / BLOCK_BYTES) * BLOCK_BYTES);
  whole.set(bytes);
  whole[bytes.length] = 0x80;
  const view = new DataView(whole.buffer);
  view.setUint32(whole.length - 4, (bytes.length + before) * 8);
  return Int32Array.from({ length: whole.length / 4 }, (_, place) => view.getInt32(place * 4));
}

function hashed(state: Int32Array, words: Int32Array): Int32Array {
  for (let place = 0; place < words.length; place += 16) compress(state, words.subarray(place, place + 16));
  return state;
}

function toBytes(words: Int32Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(words.length * 4));
  words.forEach((word, place) => view.setInt32(place * 4, word));
  return new Uint8Array(view.buffer);
}

/** The states of HMAC's inner and outer hash, after the key. */
function keyed(key: Uint8Array): [inner: Int32Array, outer: Int32Array] {
  const short = key.length > BLOCK_BYTES ? toBytes(hashed(FIRST.slice(), padded(key, 0))) : key;
  const block = new Uint8Array(BLOCK_BYTES);
  block.set(short);
  const masked = (mask: number): Int32Array => {
    const view = new DataView(block.map((one) => one ^ mask).buffer);
    return hashed(FIRST.slice(), Int32Array.from({ length: 16 }, (_, place) => view.getInt32(place * 4)));
  };
  return [masked(0x36), masked(0x5c)];
}

/** A key of so many bytes. */
export function pbkdf2(password: Uint8Array, salt: Uint8Array, iterations: number, length: number): Uint8Array {
  const [inner, outer] = keyed(password);
  const block = padded(new Uint8Array(HASH_BYTES), BLOCK_BYTES); // a hash and its end: all blocks but the first are this
  const state = new Int32Array(HASH_WORDS);
  const again = (): void => {
    block.set(state);
    state.set(outer);
    compress(state, block);
  };
  const made = new Uint8Array(Math.ceil(length / HASH_BYTES) * HASH_BYTES);
  for (let part = 0; part * HASH_BYTES < length; part += 1) {
    const first = new Uint8Array(salt.length + 4);
    first.set(salt);
    new DataView(first.buffer).setUint32(salt.length, part + 1);
    state.set(hashed(inner.slice(), padded(first, BLOCK_BYTES)));
    again();
    const sum = state.slice();
    for (let count = 1; count < iterations; count += 1) {
      block.set(state);
      state.set(inner);
      compress(state, block);
      again();
      for (let i = 0; i < HASH_WORDS; i += 1) sum[i] = at(sum, i) ^ at(state, i);
    }
    made.set(toBytes(sum), part * HASH_BYTES);
  }
  return made.slice(0, length);
}
