/**
 * WGSL of sums over the threads of a workgroup, in the same order on every device: `scan(value, thread, lanes)` is the exclusive
 * prefix sum of u32 and leaves the total in `scanTotal`; `sumOf(value, thread, lanes)` gives every thread the sum of f32.
 *
 * Each has two forms. Where the device has subgroups, threads of a subgroup exchange values directly (`lanes` of them,
 * which the device decides); elsewhere values go through workgroup memory, with a barrier for each level. Floats are
 * added up over the same tree, neighbours first, in both forms and for every number of lanes, so that rounding is the same.
 */

export interface Collectives {
  /** Whether the program calls `scan`, which is over all threads. */
  readonly scan?: boolean;
  /** How many neighbouring threads share one `sumOf`: a power of 2. */
  readonly sum?: number;
}

/** WebGPU guarantees that subgroups have at least this many threads. */
const fewestLanes = 4;

/** WGSL of the functions that are wanted. `threads` is a power of 2. */
export function collectiveFunctions(threads: number, wanted: Collectives, subgroups: boolean): string {
  const { scan, sum } = wanted;
  const forms = subgroups ? { scan: subgroupScan, sum: subgroupSum } : { scan: memoryScan, sum: memorySum };
  return [scan ? forms.scan(threads) : '', sum ? forms.sum(threads, sum) : ''].join('\n');
}

function memoryScan(threads: number): string {
  const parts = Math.ceil(threads / 16);
  return `
var<workgroup> scanValues: array<u32, ${parts * 16}>;
var<workgroup> scanParts: array<u32, ${parts}>;
var<workgroup> scanTotal: u32;
fn scan(value: u32, thread: u32, lanes: u32) -> u32 {
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

function subgroupScan(threads: number): string {
  return `
var<workgroup> scanParts: array<u32, ${Math.ceil(threads / fewestLanes)}>;
var<workgroup> scanTotal: u32;
fn scan(value: u32, thread: u32, lanes: u32) -> u32 {
  let within = subgroupExclusiveAdd(value);
  if (thread % lanes == lanes - 1u) { scanParts[thread / lanes] = within + value; }
  workgroupBarrier();
  var before = 0u;
  for (var i = 0u; i < thread / lanes; i++) { before += scanParts[i]; }
  let result = before + within;
  if (thread == ${threads - 1}u) { scanTotal = result + value; }
  workgroupBarrier();
  return result;
}`;
}

function memorySum(threads: number, shared: number): string {
  return `
var<workgroup> sumValues: array<f32, ${threads}>;
fn sumOf(value: f32, thread: u32, lanes: u32) -> f32 {
  workgroupBarrier();
  sumValues[thread] = value;
  workgroupBarrier();
  for (var half = 1u; half < ${shared}u; half *= 2u) {
    let at = thread * 2u * half;
    if (at < ${threads}u) { sumValues[at] += sumValues[at + half]; }
    workgroupBarrier();
  }
  return sumValues[thread / ${shared}u * ${shared}u];
}`;
}

function subgroupSum(threads: number, shared: number): string {
  return `
var<workgroup> sumParts: array<f32, ${Math.ceil(threads / fewestLanes)}>;
fn sumOf(value: f32, thread: u32, lanes: u32) -> f32 {
  var sum = value;
  // Number of partial sums that are still to be added in each group of threads that share a sum.
  var apart = ${shared}u;
  let place = thread % ${shared}u;
  let stretch = thread / ${shared}u;
  loop {
    for (var distance = 1u; distance < min(lanes, apart); distance *= 2u) {
      sum += subgroupShuffleXor(sum, distance);
    }
    if (apart <= lanes) { break; }
    workgroupBarrier();
    if (place < apart && place % lanes == 0u) { sumParts[(stretch * apart + place) / lanes] = sum; }
    workgroupBarrier();
    apart /= lanes;
    sum = sumParts[stretch * apart + place % apart];
  }
  return sum;
}`;
}
