/**
 * Sums over the threads of a workgroup, in an order that never changes. `scan` is the exclusive prefix sum of u32 and
 * leaves the total in `scanTotal`; `sumOf` gives every thread the sum of f32.
 */
export function scan(threads: number): string {
  const parts = Math.ceil(threads / 16);
  return `
var<workgroup> scanValues: array<u32, ${parts * 16}>;
var<workgroup> scanParts: array<u32, ${parts}>;
var<workgroup> scanTotal: u32;
fn scan(value: u32, thread: u32) -> u32 {
  scanValues[thread] = value;
  workgroupBarrier();
  if (thread < ${parts}u) {
    var sum = 0u;
    for (var i = 0u; i < 16u; i++) {
      let next = scanValues[thread * 16u + i];
      scanValues[thread * 16u + i] = sum;
      sum += next;
    }
    scanParts[thread] = sum;
  }
  workgroupBarrier();
  var before = 0u;
  for (var i = 0u; i < thread / 16u; i++) { before += scanParts[i]; }
  let result = before + scanValues[thread];
  if (thread == ${threads - 1}u) { scanTotal = result + value; }
  workgroupBarrier();
  return result;
}`;
}

export function sum(threads: number): string {
  return `
var<workgroup> sumValues: array<f32, ${threads}>;
fn sumOf(value: f32, thread: u32) -> f32 {
  workgroupBarrier();
  sumValues[thread] = value;
  workgroupBarrier();
  for (var half = ${threads / 2}u; half > 0u; half /= 2u) {
    if (thread < half) { sumValues[thread] += sumValues[thread + half]; }
    workgroupBarrier();
  }
  return sumValues[0];
}`;
}

/** Whether a float, given as bits, fires: z > θ, or z is NaN. GPUs may assume that there is no NaN, bits can't be denied. */
export const fires = `
fn isNan(bits: u32) -> bool { return (bits & 0x7fffffffu) > 0x7f800000u; }
fn fires(bits: u32, threshold: f32) -> bool { return isNan(bits) || bitcast<f32>(bits) > threshold; }`;
