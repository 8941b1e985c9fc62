/**
 * Programs are made of their sizes by functions that put a text together. A training step calls them with the same sizes again and again, and putting the text together,
 * and finding the pipeline of a text, would take a host longer than everything else about a dispatch.
 */
import { numberKey } from './numberKey.ts';

/** Most results that one function keeps: sizes that change at every step must not fill the memory. */
const most = 256;
const numbers = new WeakMap<object, number>();
let last = 0;

/**
 * The same function of plain data, which gives the same object again for equal arguments. Its results are not to be changed. Arguments that such functions have made are told
 * apart by which object they are. Throws TypeError for arguments that are not plain data.
 */
export function remembered<Given extends unknown[], Made extends object>(
  make: (...given: Given) => Made,
): (...given: Given) => Made {
  const known = new Map<string, Made>();
  return (...given) => {
    const key = keyOf(given);
    const before = known.get(key);
    if (before) return before;
    const made = make(...given);
    numbers.set(made, ++last);
    if (known.size === most) known.clear();
    known.set(key, made);
    return made;
  };
}

/** Different for different data. */
function keyOf(value: unknown): string {
  switch (typeof value) {
    case 'number':
      return numberKey(value);
    case 'string':
      return JSON.stringify(value);
    case 'boolean':
    case 'undefined':
      return String(value);
    case 'object':
      return value === null ? 'null' : keyOfObject(value);
    default:
      throw new TypeError(`A program is made of plain data, but was given a ${typeof value}.`);
  }
}

function keyOfObject(value: object): string {
  const number = numbers.get(value);
  if (number !== undefined) return `#${number}`;
  if (Array.isArray(value)) {
    let key = '[';
    for (const item of value) key += `${keyOf(item)},`;
    return `${key}]`;
  }
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${String(value)})`;
  let key = '{';
  for (const [name, item] of Object.entries(value)) key += `${name.length}${name}:${keyOf(item)},`;
  return `${key}}`;
}
