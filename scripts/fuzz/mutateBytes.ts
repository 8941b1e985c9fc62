/** Changes to binary files: wrong numbers where lengths and offsets stand, and bytes that are gone, repeated or moved. */
import type { Random } from '../../sae/numerics/random.ts';

export const below = (random: Random, n: number) => Math.floor(random.uniform() * n);
export const pick = <T>(random: Random, values: readonly T[]): T => values[below(random, values.length)];

const numbers = [
  0n, 1n, -1n, 2n, 7n, 8n, 63n, 64n, 255n, 256n, 4096n, 65_535n, 65_536n, 1_000_000n, 1n << 24n, 1n << 30n, 0x7fffffffn,
  0x80000000n, 0xffffffffn, 1n << 40n, (1n << 53n) - 1n, 1n << 53n, (1n << 62n) + 8n, -(1n << 31n), -8n, -64n,
] as const; // prettier-ignore

/** One to four changes. `places` are offsets at which numbers stand; others are taken too. */
export function mutateBytes(
  sound: Uint8Array,
  random: Random,
  places: readonly number[] = [],
): Buffer<ArrayBuffer> {
  let bytes = Buffer.from(sound);
  const changes = 1 + below(random, 4);
  for (let i = 0; i < changes && bytes.length > 16; i++) {
    const known = places.length > 0 && random.uniform() < 0.5;
    const at = known ? Math.min(pick(random, places), bytes.length - 8) : below(random, bytes.length - 8);
    const aligned = known ? at : at & ~3;
    switch (below(random, 9)) {
      case 0:
        bytes.writeBigInt64LE(BigInt.asIntN(64, pick(random, numbers)), aligned);
        break;
      case 1:
      case 2:
        bytes.writeInt32LE(Number(BigInt.asIntN(32, pick(random, numbers))), aligned);
        break;
      case 3:
        bytes.writeInt16LE(Number(BigInt.asIntN(16, pick(random, numbers))), at);
        break;
      case 4:
        bytes[at] ^= 1 << below(random, 8);
        break;
      case 5:
        bytes[at] = below(random, 256);
        break;
      case 6:
        bytes = bytes.subarray(0, below(random, bytes.length));
        break;
      case 7: {
        const piece = bytes.subarray(at, at + 1 + below(random, 64));
        bytes = Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
        break;
      }
      default:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + below(random, 64))]);
    }
  }
  return bytes;
}
