/** Changes to parsed documents: another value somewhere, a key that is gone or new, a list that is long or deep. */
import type { Random } from '../../sae/numerics/random.ts';
import { below, pick } from './mutateBytes.ts';

const outside = ['../outside.bin', '/etc/passwd', '..', 'a/../../outside.bin', 'C:\\x', 'a\0b'];
const scalars: readonly unknown[] = [
  null, true, false, 0, -0, 1, -1, 0.5, 3, 17, 255, 65_536, 1e6, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53, 1e308, -1e308, 5e-324,
  '', 'x', '0', '1e9', ' ', '__proto__', 'constructor', '\u{10ffff}', '\ud800', 'NaN', 'y'.repeat(5000), ...outside,
]; // prettier-ignore

function strange(random: Random): unknown {
  switch (below(random, 12)) {
    case 0:
      return [];
    case 1:
      return {};
    case 2:
      return Array.from({ length: 3000 }, () => 1);
    case 3:
      return Array.from({ length: 100 }).reduce<unknown>((inner) => [inner], 0);
    case 4:
      return Array.from({ length: 300 }).reduce<unknown>((inner) => ({ type: 'Sequence', a: inner }), 0);
    case 5:
      return JSON.parse('{"__proto__": {"length": 3}, "constructor": 1}');
    default:
      return pick(random, scalars);
  }
}

/** The document with one to three changes; the one given stays as it is. */
export function mutateJson(sound: unknown, random: Random): unknown {
  const document = { root: structuredClone(sound) };
  const changes = 1 + below(random, 3);
  for (let i = 0; i < changes; i++) {
    const { holder, key } = place(document, random);
    const held = holder as Record<string, unknown>;
    const value = held[key];
    const change = random.uniform();
    if (change < 0.15 && key !== 'root') {
      if (Array.isArray(holder)) holder.splice(Number(key), 1);
      else delete held[key];
    } else if (change < 0.3 && key !== 'root' && !Array.isArray(holder)) {
      held[pick(random, ['invented', '__metadata__', 'type', ...Object.keys(held)])] = strange(random);
    } else if (Array.isArray(value) && random.uniform() < 0.3) {
      const copies = pick(random, [1, 2, 200]);
      for (let j = 0; j < copies; j++) value.push(value[0] ?? 0);
    } else if (typeof value === 'number' && random.uniform() < 0.7) {
      held[key] = pick(random, [
        value + 1,
        value - 1,
        -value,
        value * 1000,
        2 ** 31,
        1e12,
        value / 2,
        2 ** 53,
      ]);
    } else held[key] = strange(random);
  }
  return document.root;
}

/** Some place in the document, near its root as often as deep inside. */
function place(document: object, random: Random): { holder: object; key: string } {
  let [holder, key] = [document, 'root'];
  for (;;) {
    const inner = (holder as Record<string, unknown>)[key];
    if (typeof inner !== 'object' || inner === null || random.uniform() < 0.15) return { holder, key };
    const keys = Object.keys(inner);
    if (keys.length === 0) return { holder, key };
    [holder, key] = [inner, pick(random, keys)];
  }
}
