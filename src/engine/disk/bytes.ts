/** Grows a buffer from front to back; integers are big-endian so that encoded numbers sort like the numbers. */
export class ByteWriter {
  #bytes: Buffer;
  length = 0;

  constructor(capacity = 512) {
    this.#bytes = Buffer.allocUnsafeSlow(capacity);
  }

  #room(size: number): void {
    if (this.length + size <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.length + size));
    this.#bytes.copy(grown, 0, 0, this.length);
    this.#bytes = grown;
  }

  u8(value: number): void {
    this.#room(1);
    this.length = this.#bytes.writeUInt8(value, this.length);
  }

  u16(value: number): void {
    this.#room(2);
    this.length = this.#bytes.writeUInt16BE(value, this.length);
  }

  u32(value: number): void {
    this.#room(4);
    this.length = this.#bytes.writeUInt32BE(value, this.length);
  }

  u48(value: number): void {
    this.#room(6);
    this.length = this.#bytes.writeUIntBE(value, this.length, 6);
  }

  f64(value: number): void {
    this.#room(8);
    this.length = this.#bytes.writeDoubleBE(value, this.length);
  }

  raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Latin-1 text of at most 255 characters: ETags, checksums, storage classes. */
  shortText(text: string): void {
    if (text.length > 255) throw new RangeError('short text holds at most 255 characters');
    this.#room(1 + text.length);
    this.#bytes[this.length] = text.length;
    this.#bytes.write(text, this.length + 1, 'latin1');
    this.length += 1 + text.length;
  }

  /** UTF-8 text with a 32-bit length. */
  text(text: string): void {
    const size = Buffer.byteLength(text);
    this.u32(size);
    this.#room(size);
    this.#bytes.write(text, this.length, 'utf8');
    this.length += size;
  }

  finish(): Buffer {
    return this.#bytes.subarray(0, this.length);
  }
}

/** Reads what `ByteWriter` wrote. Running over the end throws a RangeError. */
export class ByteReader {
  readonly bytes: Buffer;
  at: number;
  readonly #end: number;

  constructor(bytes: Buffer, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.#end = end;
  }

  u8(): number {
    const value = this.bytes.readUInt8(this.at);
    this.at += 1;
    return value;
  }

  u16(): number {
    const value = this.bytes.readUInt16BE(this.at);
    this.at += 2;
    return value;
  }

  u32(): number {
    const value = this.bytes.readUInt32BE(this.at);
    this.at += 4;
    return value;
  }

  u48(): number {
    const value = this.bytes.readUIntBE(this.at, 6);
    this.at += 6;
    return value;
  }

  f64(): number {
    const value = this.bytes.readDoubleBE(this.at);
    this.at += 8;
    return value;
  }

  raw(size: number): Buffer {
    if (this.at + size > this.#end) throw new RangeError('record is cut short');
    const value = this.bytes.subarray(this.at, this.at + size);
    this.at += size;
    return value;
  }

  shortText(): string {
    const size = this.u8();
    if (this.at + size > this.#end) throw new RangeError('record is cut short');
    const value = this.bytes.toString('latin1', this.at, this.at + size);
    this.at += size;
    return value;
  }

  /** Passes over `encoded` and answers true when it is what comes next: cheaper than a string that is known already. */
  knownText(encoded: Uint8Array): boolean {
    const { bytes, at } = this;
    if (at + encoded.length > this.#end) return false;
    for (let index = 0; index < encoded.length; index++) if (bytes[at + index] !== encoded[index]) return false;
    this.at += encoded.length;
    return true;
  }

  text(): string {
    const size = this.u32();
    if (this.at + size > this.#end) throw new RangeError('record is cut short');
    const value = this.bytes.toString('utf8', this.at, this.at + size);
    this.at += size;
    return value;
  }
}
