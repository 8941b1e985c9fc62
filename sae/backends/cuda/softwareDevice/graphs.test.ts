/** Work that is captured as a graph, and launched as often as one likes; and what CUDA does not permit meanwhile. */
import koffi from 'koffi';
import { describe, expect, test, vi } from 'vitest';
import { binder, out } from '../binding.ts';
import type { DeviceBuffer } from '../deviceMemory.ts';
import { noSoftwareDevice } from '../cudaForTests.ts';
import { deviceForTests } from './deviceForTests.ts';

// The first test compiles the device.
vi.setConfig({ testTimeout: 240_000 });

const number = out('uint64');
const [global, relaxed] = [0, 2];
const kernels = `
extern "C" __global__ void add(float* x, float by) { x[threadIdx.x] += by; }
extern "C" __global__ void twice(float* x) { x[threadIdx.x] *= 2.0f; }`;

async function open() {
  const device = await deviceForTests(kernels);
  const f = binder(device.library);
  const { stream } = device.device;
  const x = device.upload(Float32Array.of(1, 2));
  const add = (by: number) => device.run('add', { grid: 1, block: 2 }, [x, by]);
  add(0); // so that the module is loaded
  device.device.synchronize();
  const place = [0];
  return {
    ...device,
    stream,
    x,
    add,
    place,
    begin: (mode: number) => device.driver.functions.cuStreamBeginCapture(stream, mode),
    end: () => device.driver.functions.cuStreamEndCapture(stream, place),
    event: () => device.device.newEvent({ timing: false }),
    synchronizeContext: f('cuCtxSynchronize'),
    copyNow: f('cuMemcpyDtoH_v2', 'uint64', 'uint64', 'uint64'),
    isCapturing: f('cuStreamIsCapturing', 'uint64', out('int')),
    instantiate: f('cuGraphInstantiateWithFlags', number, 'uint64', 'uint64'),
    launch: f('cuGraphLaunch', 'uint64', 'uint64'),
  };
}

type Opened = Awaited<ReturnType<typeof open>>;

/** Work on `other`, which joins the capture, and by which `stream` goes on. */
function aside({ driver, stream, event }: Opened, other: number, work: () => void) {
  const [forth, back] = [event(), event()];
  driver.call('cuEventRecord', forth, stream);
  driver.call('cuStreamWaitEvent', other, forth, 0);
  work();
  driver.call('cuEventRecord', back, other);
  return () => driver.call('cuStreamWaitEvent', stream, back, 0);
}

describe.skipIf(noSoftwareDevice)(`a captured graph${noSoftwareDevice}`, () => {
  test('runs when it is launched, with the arguments of its capture, across streams that joined it', async () => {
    const device = await open();
    const { driver, stream, x, add, place } = device;
    expect(device.begin(global)).toBe(0);
    add(10);
    const other = device.device.newStream();
    const join = aside(device, other, () =>
      driver.call('cuMemsetD32Async', Number(x.address) + 4, 0x40800000, 1, other),
    );
    join();
    add(100);
    expect(device.end()).toBe(0);
    expect(device.floats(x)).toEqual([1, 2]);

    const graph = place[0];
    expect(device.instantiate(place, graph, 0)).toBe(0);
    const executable = place[0];
    expect(device.launch(executable, stream)).toBe(0);
    expect(device.floats(x)).toEqual([111, 104]);
    expect(device.launch(executable, stream)).toBe(0);
    expect(device.launch(executable, stream)).toBe(0);
    expect(device.floats(x)).toEqual([331, 104]);
    // The other stream works by itself again.
    driver.call('cuMemsetD32Async', Number(x.address), 0, 2, other);
    driver.call('cuStreamSynchronize', other);
    expect(device.floats(x)).toEqual([0, 0]);
  });

  const pageable = Buffer.alloc(8);
  const host = Number(koffi.address(pageable.buffer)) + pageable.byteOffset;
  test.each<[string, number, (device: Opened) => number]>([
    ['waiting for the stream', 900, ({ driver, stream }) => driver.functions.cuStreamSynchronize(stream)],
    ['waiting for everything', 900, ({ synchronizeContext }) => synchronizeContext()],
    [
      'asking for an event of the capture',
      907,
      ({ driver, stream, event }) => {
        const marked = event();
        driver.call('cuEventRecord', marked, stream);
        return driver.functions.cuEventQuery(marked);
      },
    ],
    [
      'waiting for an event from outside',
      905,
      ({ driver, stream, event, device }) => {
        const before = event();
        driver.call('cuEventRecord', before, device.newStream());
        return driver.functions.cuStreamWaitEvent(stream, before, 0);
      },
    ],
    [
      'reading into memory that is not pinned',
      900,
      ({ driver, stream, x }) => driver.functions.cuMemcpyDtoHAsync(host, Number(x.address), 8, stream),
    ],
    [
      'sending memory that is not pinned',
      900,
      ({ driver, stream, x }) => driver.functions.cuMemcpyHtoDAsync(Number(x.address), host, 8, stream),
    ],
    ['allocating memory', 900, ({ driver }) => driver.functions.cuMemAlloc([0], 256)],
    ['allocating pinned memory', 900, ({ driver }) => driver.functions.cuMemHostAlloc([0], 256, 0)],
    ['freeing memory', 900, ({ driver, x }) => driver.functions.cuMemFree(Number(x.address))],
  ])('%s is not permitted (%i), and spoils it', async (_what, code, attempt) => {
    const device = await open();
    expect(device.begin(global)).toBe(0);
    device.add(10);
    expect(attempt(device)).toBe(code);
    expect(() => device.add(1)).toThrow(/STREAM_CAPTURE_INVALIDATED/);
    expect(device.isCapturing(device.stream, device.place)).toBe(0);
    expect(device.place[0]).toBe(2);
    device.place[0] = 7;
    expect(device.end()).toBe(901);
    expect(device.place[0]).toBe(0);
    // The stream works again, and nothing of the capture has run.
    device.add(1);
    expect(device.floats(device.x)).toEqual([2, 3]);
  });

  test('in relaxed mode memory may be allocated and freed', async () => {
    const device = await open();
    expect(device.begin(relaxed)).toBe(0);
    device.add(10);
    const memory = device.allocate(256);
    device.driver.call('cuMemFree', Number(memory.address));
    expect(device.end()).toBe(0);
  });

  test('work of another stream has to be waited for before it ends', async () => {
    const device = await open();
    const other = device.device.newStream();
    device.begin(global);
    aside(device, other, () => device.driver.call('cuMemsetD32Async', Number(device.x.address), 0, 2, other));
    device.add(1);
    expect(device.end()).toBe(904);
  });

  test('two captures stay apart, and each ends where it began', async () => {
    const device = await open();
    const { driver, stream, event } = device;
    const other = device.device.newStream();
    device.begin(global);
    device.add(1);
    expect(driver.functions.cuStreamEndCapture(other, device.place)).toBe(903);
    driver.call('cuStreamBeginCapture', other, global);
    const marked = event();
    driver.call('cuEventRecord', marked, other);
    expect(driver.functions.cuStreamWaitEvent(stream, marked, 0)).toBe(902);
    expect([device.end(), driver.functions.cuStreamEndCapture(other, device.place)]).toEqual([901, 901]);
  });

  test('of a stream that the default stream waits for, a synchronous copy is not permitted', async () => {
    const device = await open();
    const { driver, x } = device;
    const blocking = driver.read('cuStreamCreate', 0);
    driver.call('cuStreamBeginCapture', blocking, global);
    expect(device.copyNow(host, Number(x.address), 8)).toBe(906);
    expect(driver.functions.cuStreamEndCapture(blocking, device.place)).toBe(901);
  });

  test('memory that is freed is not there at the next launch', async () => {
    const device = await open();
    const { driver, stream, place } = device;
    const memory: DeviceBuffer = device.allocate(8);
    device.begin(global);
    driver.call('cuMemsetD32Async', Number(memory.address), 0, 2, stream);
    device.end();
    device.instantiate(place, place[0], 0);
    driver.call('cuMemFree', Number(memory.address));
    device.launch(place[0], stream);
    expect(() => device.device.synchronize()).toThrow(/ILLEGAL_ADDRESS/);
  });
});
