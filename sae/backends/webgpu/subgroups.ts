/**
 * Whether a device's subgroups are as the sums over a workgroup assume: full groups of neighbouring threads of a workgroup.
 * WGSL leaves it to the device how threads are grouped, so a kernel tests it once at start.
 */

/** Sizes of workgroups in use. */
const sizes = [64, 128, 256] as const;
const groups = 4;

/** False where the device has no subgroups, or groups threads differently. */
export async function hasOrderedSubgroups(device: GPUDevice): Promise<boolean> {
  if (!device.features.has('subgroups')) return false;
  const bytes = 4 * groups * sizes.reduce((sum, size) => sum + size, 0);
  const answers = device.createBuffer({
    size: bytes,
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC,
  });
  const staging = device.createBuffer({
    size: bytes,
    usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
  });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  let first = 0;
  for (const size of sizes) {
    const compute = {
      module: device.createShaderModule({ code: question(size, first) }),
      entryPoint: 'main',
    };
    const pipeline = device.createComputePipeline({ layout: 'auto', compute });
    const entries = [{ binding: 0, resource: { buffer: answers } }];
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
    pass.dispatchWorkgroups(groups);
    first += size * groups;
  }
  pass.end();
  encoder.copyBufferToBuffer(answers, 0, staging, 0, bytes);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const ordered = new Uint32Array(staging.getMappedRange()).every((answer) => answer === 1);
  for (const buffer of [staging, answers]) buffer.destroy();
  return ordered;
}

const question = (size: number, first: number) => `enable subgroups;
@group(0) @binding(0) var<storage, read_write> answers: array<u32>;
@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32,
        @builtin(subgroup_invocation_id) lane: u32, @builtin(subgroup_size) lanes: u32) {
  let whole = lanes >= 4u && lanes <= ${size}u && countOneBits(lanes) == 1u;
  let present = subgroupAdd(1u);
  answers[${first}u + group.x * ${size}u + thread] = u32(whole && present == lanes && lane == thread % lanes);
}`;
