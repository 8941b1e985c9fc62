/** Work that is captured as a graph, and launched as often as one likes. */
import { describe, expect, test } from 'vitest';
import { binder, out } from '../binding.ts';
import { noSoftwareDevice } from '../cudaForTests.ts';
import { deviceForTests } from './deviceForTests.ts';

const number = out('uint64');

describe.skipIf(noSoftwareDevice)(`a captured graph${noSoftwareDevice}`, () => {
  test('runs when it is launched, with the arguments of its capture, across streams that joined it', async () => {
    const device = await deviceForTests(`
extern "C" __global__ void add(float* x, float by) { x[threadIdx.x] += by; }
extern "C" __global__ void twice(float* x) { x[threadIdx.x] *= 2.0f; }`);
    const { driver, library } = device;
    const { stream } = device.device;
    const f = binder(library);
    const begin = f('cuStreamBeginCapture_v2', 'uint64', 'int');
    const end = f('cuStreamEndCapture', 'uint64', number);
    const instantiate = f('cuGraphInstantiateWithFlags', number, 'uint64', 'uint64');
    const launch = f('cuGraphLaunch', 'uint64', 'uint64');

    const x = device.upload(Float32Array.of(1, 2));
    device.device.synchronize();
    const args = (by: number) => device.run('add', { grid: 1, block: 2 }, [x, by]);
    args(0); // so that the module is loaded
    device.device.synchronize();
    expect(begin(stream, 0)).toBe(0);
    args(10);
    const other = device.device.newStream();
    const forth = device.device.newEvent({ timing: false });
    driver.call('cuEventRecord', forth, stream);
    driver.call('cuStreamWaitEvent', other, forth, 0);
    driver.call('cuMemsetD32Async', Number(x.address) + 4, 0x40800000, 1, other);
    const back = device.device.newEvent({ timing: false });
    driver.call('cuEventRecord', back, other);
    driver.call('cuStreamWaitEvent', stream, back, 0);
    args(100);
    // Nothing can be waited for meanwhile, and nothing has run.
    expect(driver.functions.cuStreamSynchronize(stream)).toBe(900);
    const place = [0];
    expect(end(stream, place)).toBe(0);
    expect(device.floats(x)).toEqual([1, 2]);

    const graph = place[0];
    expect(instantiate(place, graph, 0)).toBe(0);
    const executable = place[0];
    expect(launch(executable, stream)).toBe(0);
    expect(device.floats(x)).toEqual([111, 104]);
    expect(launch(executable, stream)).toBe(0);
    expect(launch(executable, stream)).toBe(0);
    expect(device.floats(x)).toEqual([331, 104]);
    // The other stream works by itself again.
    driver.call('cuMemsetD32Async', Number(x.address), 0, 2, other);
    driver.call('cuStreamSynchronize', other);
    expect(device.floats(x)).toEqual([0, 0]);
  });
});
