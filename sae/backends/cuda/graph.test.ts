/** Graphs with calls of the host between their stretches, on the device in software. */
import { describe, expect, test, vi } from 'vitest';
import { noSoftwareDevice } from './cudaForTests.ts';
import { Graph } from './graph.ts';
import { deviceForTests } from './softwareDevice/deviceForTests.ts';

vi.setConfig({ testTimeout: 240_000 });

const kernels = `
extern "C" __global__ void add(float* x, float by) { x[threadIdx.x] += by; }
extern "C" __global__ void twice(float* x) { x[threadIdx.x] *= 2.0f; }`;

async function open() {
  const made = await deviceForTests(kernels);
  const x = made.upload(Float32Array.of(1, 2));
  const add = (by: number) => made.run('add', { grid: 1, block: 2 }, [x, by]);
  const twice = () => made.run('twice', { grid: 1, block: 2 }, [x]);
  add(0); // so that the module is loaded
  twice();
  made.device.synchronize();
  return { ...made, x, add, twice };
}

describe.skipIf(noSoftwareDevice)(`a graph${noSoftwareDevice}`, () => {
  test('makes the calls that are part of no graph at every launch, each in its place', async () => {
    const { device, x, add, twice, floats } = await open();
    const calls: string[] = [];
    const call = (name: string) =>
      device.outsideOfGraphs(() => {
        calls.push(name);
        twice();
      });
    const graph = new Graph(device, () => {
      call('first');
      add(10);
      add(1);
      call('second');
      // Nothing is between these two.
      call('third');
      add(100);
    });
    expect(calls).toEqual([]);
    expect(floats(x)).toEqual([2, 4]);
    graph.launch();
    expect(calls).toEqual(['first', 'second', 'third']);
    // ((2·2 + 11)·2)·2 + 100
    expect(floats(x)).toEqual([160, 176]);
    graph.launch();
    expect(calls).toEqual(['first', 'second', 'third', 'first', 'second', 'third']);
    expect(floats(x)).toEqual([(160 * 2 + 11) * 4 + 100, (176 * 2 + 11) * 4 + 100]);
    graph.destroy();
    call('outside');
    expect(calls.at(-1)).toBe('outside');
  });

  test('that fails behind such a call has made none, and leaves the stream as it was', async () => {
    const { device, x, add, floats } = await open();
    const call = vi.fn<() => void>();
    expect(
      () =>
        new Graph(device, () => {
          add(10);
          device.outsideOfGraphs(call);
          add(10);
          device.synchronize();
        }),
    ).toThrow('it waited for the device in its middle');
    expect(call).not.toHaveBeenCalled();
    add(1);
    expect(floats(x)).toEqual([3, 5]);
  });
});
