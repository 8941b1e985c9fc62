/**
 * The part of Python's pickle that a PyTorch state dict uses, read without running anything: a name in the
 * stream is looked up in a short list of harmless constructors, and a file that names anything else is refused.
 * (Opcodes: CPython's pickletools.)
 */
import { LazyscopeError } from '../errors.ts';

export type Pickled = number | bigint | string | boolean | null | Pickled[] | Map<Pickled, Pickled> | object;

/**
 * An object of a class that is not on the list of constructors: its class's name and its attributes. Nothing of the
 * class is looked up or run, so that any name may stand there.
 */
export class PickledObject {
  readonly className: string;
  attributes = new Map<Pickled, Pickled>();
  constructor(className: string) {
    this.className = className;
  }
}

export interface PickleHost {
  /** Calls `module.name(...args)`; undefined when the name is not on the list. */
  construct(name: string, args: Pickled[]): Pickled | undefined;
  /** What a persistent id stands for. */
  persistent(id: Pickled): Pickled;
}

class Global {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}
export function globalName(value: Pickled): string | undefined {
  return value instanceof Global ? value.name : undefined;
}

const mark = Symbol('mark');

/** Bytes that what a pickle describes may take, beside four times its own size. */
const freeMemory = 32 << 20;
/** About what V8 takes for an empty one, and for an entry of it. */
const cost = { map: 200, list: 48, entry: 40, object: 300 };

export function readPickle(bytes: Uint8Array, source: string, host: PickleHost): Pickled {
  return readPickleAt(bytes, 0, source, host).value;
}

/** The pickle that begins at `start`, and where it ends: older files have several of them one after another. */
export function readPickleAt(
  bytes: Uint8Array,
  start: number,
  source: string,
  host: PickleHost,
): { value: Pickled; end: number } {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const damaged = (why: string) =>
    new LazyscopeError('corrupt', `'${source}' is not a whole PyTorch file: ${why}.`);
  // A byte of a pickle can become an object of some hundred.
  let memory = 4 * view.length + freeMemory;
  const spend = (bytes: number) => {
    memory -= bytes;
    if (memory < 0) throw damaged('what it describes takes more memory than is allowed for its size');
  };
  const stack: (Pickled | typeof mark)[] = [];
  const memo = new Map<number, Pickled>();
  let at = start;

  const take = (length: number) => {
    if (at + length > view.length) throw damaged('it ends early');
    at += length;
    return view.subarray(at - length, at);
  };
  const line = () => {
    const end = view.indexOf(10, at);
    if (end < 0) throw damaged('it ends early');
    const text = view.toString('utf8', at, end);
    at = end + 1;
    return text;
  };
  const pop = (): Pickled => {
    const value = stack.pop();
    if (value === undefined || value === mark) throw damaged('its stack runs empty');
    return value;
  };
  const top = (): Pickled => {
    const value = pop();
    stack.push(value);
    return value;
  };
  const popMark = (): Pickled[] => {
    const from = stack.lastIndexOf(mark);
    if (from < 0) throw damaged('its stack has no mark');
    const values = stack.splice(from).slice(1);
    return values.filter((value): value is Pickled => value !== mark);
  };
  const text = (length: number) => take(length).toString('utf8');
  const setItems = (target: Pickled, items: Pickled[]) => {
    if (!(target instanceof Map)) throw damaged('it sets items of something that has none');
    spend((items.length / 2) * cost.entry);
    for (let i = 0; i + 1 < items.length; i += 2) target.set(items[i], items[i + 1]);
  };
  const append = (target: Pickled, items: Pickled[]) => {
    if (!Array.isArray(target)) throw damaged('it appends to something that is no list');
    // Not spread into one call: a list may be longer than a call's arguments.
    for (const item of items) target.push(item);
  };
  const recall = (index: number): Pickled => {
    const value = memo.get(index);
    if (value === undefined) throw damaged('it recalls what it never kept');
    return value;
  };
  const keep = (index: number, value: Pickled) => {
    spend(cost.entry);
    memo.set(index, value);
  };
  const tuple = (length: number) => {
    spend(cost.list);
    stack.push(Array.from({ length }, pop).reverse());
  };
  const made = (bytes: number, value: Pickled) => {
    spend(bytes);
    stack.push(value);
  };
  const name = (value: Pickled) => {
    if (typeof value !== 'string') throw damaged('it calls what is no name');
    return value;
  };
  const reduce = (args: Pickled, callee: Pickled) => {
    if (!(callee instanceof Global) || !Array.isArray(args)) throw damaged('it calls what is no name');
    spend(cost.object);
    const object = host.construct(callee.name, args);
    if (object === undefined)
      throw new LazyscopeError(
        'bad_input',
        `'${source}' asks for '${callee.name}', which is no part of a plain state dict and is not run: save the state dict alone.`,
      );
    stack.push(object);
  };
  const small = (length: number) => {
    // Little-endian two's complement of any length.
    let value = 0n;
    const raw = take(length);
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(raw[i]);
    return Number(BigInt.asIntN(length * 8, value));
  };

  const operations: Record<string, () => unknown> = {
    '\x80': () => take(1),
    '\x95': () => take(8),
    '(': () => stack.push(mark),
    ')': () => made(cost.list, []),
    ']': () => made(cost.list, []),
    '}': () => made(cost.map, new Map()),
    N: () => stack.push(null),
    '\x88': () => stack.push(true),
    '\x89': () => stack.push(false),
    J: () => stack.push(take(4).readInt32LE(0)),
    K: () => stack.push(take(1)[0]),
    M: () => stack.push(take(2).readUInt16LE(0)),
    G: () => stack.push(take(8).readDoubleBE(0)),
    '\x8a': () => stack.push(small(take(1)[0])),
    X: () => stack.push(text(take(4).readUInt32LE(0))),
    '\x8c': () => stack.push(text(take(1)[0])),
    c: () => made(cost.list, new Global(`${line()}.${line()}`)),
    '\x93': () => {
      const last = name(pop());
      made(cost.list, new Global(`${name(pop())}.${last}`));
    },
    q: () => keep(take(1)[0], top()),
    r: () => keep(take(4).readUInt32LE(0), top()),
    '\x94': () => keep(memo.size, top()),
    h: () => stack.push(recall(take(1)[0])),
    j: () => stack.push(recall(take(4).readUInt32LE(0))),
    t: () => made(cost.list, popMark()),
    '\x85': () => tuple(1),
    '\x86': () => tuple(2),
    '\x87': () => tuple(3),
    R: () => reduce(pop(), pop()),
    // What it would be made from says nothing: its attributes follow.
    '\x81': () => {
      pop();
      const named = pop();
      if (!(named instanceof Global)) throw damaged('it makes an object of what is no name');
      made(cost.object, new PickledObject(named.name));
    },
    b: () => {
      const state = pop();
      const object = top();
      // Attributes of anything else (a state dict's _metadata) are of no use here.
      if (object instanceof PickledObject && state instanceof Map) object.attributes = state;
    },
    s: () => {
      const value = pop();
      const key = pop();
      setItems(top(), [key, value]);
    },
    u: () => {
      const items = popMark();
      setItems(top(), items);
    },
    a: () => {
      const value = pop();
      append(top(), [value]);
    },
    e: () => {
      const items = popMark();
      append(top(), items);
    },
    Q: () => stack.push(host.persistent(pop())),
  };

  for (;;) {
    const code = take(1).toString('latin1');
    if (code === '.') return { value: pop(), end: at };
    const operation = Object.hasOwn(operations, code) ? operations[code] : undefined;
    if (!operation) throw damaged(`it holds the unknown opcode 0x${code.charCodeAt(0).toString(16)}`);
    operation();
  }
}
