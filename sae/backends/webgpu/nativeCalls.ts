/**
 * Counts the calls from JavaScript into Dawn, by kind, for benchmarks and tests. Each takes a microsecond or several, whatever the device
 * does meanwhile, so the number of them in a training step is what the host's time depends on most.
 */

/** Calls and reads of properties by name, such as `GPUDevice.createBindGroup`, with the milliseconds spent in them. */
export type NativeCalls = Map<string, { calls: number; ms: number }>;

type Method = (this: unknown, ...given: unknown[]) => unknown;

/** Wraps the methods and getters of Dawn's classes for the rest of the process. The counts go on in the map that is returned. */
export function countNativeCalls(globals: Readonly<Record<string, unknown>>): NativeCalls {
  const counts: NativeCalls = new Map();
  for (const [type, made] of Object.entries(globals)) {
    const prototype = (made as { prototype?: object }).prototype;
    if (!prototype) continue;
    for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      if (name === 'constructor' || !property.configurable) continue;
      const count = { calls: 0, ms: 0 };
      const counted = (call: Method): Method =>
        function (...given) {
          const before = performance.now();
          try {
            return call.apply(this, given);
          } finally {
            count.ms += performance.now() - before;
            count.calls++;
          }
        };
      if (typeof property.value === 'function') property.value = counted(property.value as Method);
      else if (property.get) property.get = counted(property.get);
      else continue;
      counts.set(`${type}.${name}`, count);
      Object.defineProperty(prototype, name, property);
    }
  }
  return counts;
}
