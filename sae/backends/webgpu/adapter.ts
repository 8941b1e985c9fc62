/** Finds a GPU, describes it, and opens it with all the features and limits that it has. */
import { LazyscopeError } from '../../errors.ts';
import { type Dawn, loadDawn, loadedDawn } from './dawn.ts';
import { hasVulkanDriver } from './vulkanDrivers.ts';

export interface Adapter {
  readonly dawn: Dawn;
  readonly gpu: GPUAdapter;
  /** Vendor, architecture and driver, for messages. */
  readonly description: string;
  /** Whether it is a software driver that computes on the CPU: SwiftShader, llvmpipe or WARP. */
  readonly software: boolean;
}

export const adapterRemedy =
  'Install the driver of your GPU (on Linux its Vulkan driver, and the loader libvulkan1).';
const none = () => new LazyscopeError('unavailable', `Backend webgpu finds no GPU. ${adapterRemedy}`);

/** Throws `unavailable` where there is no adapter, because TF.js would silently use its slowest backend instead. */
export async function findAdapter(): Promise<Adapter> {
  const needsDriver = loadedDawn()?.needsDriver ?? true;
  if (needsDriver && process.platform === 'linux' && !hasVulkanDriver()) throw none();
  const dawn = await loadDawn();
  const gpu = await dawn.gpu.requestAdapter({ powerPreference: 'high-performance' }).catch(() => null);
  if (!gpu) throw none();
  const { vendor, architecture, device, description } = gpu.info;
  const software =
    gpu.info.isFallbackAdapter ||
    /swiftshader|llvmpipe|lavapipe|basic render/i.test(`${architecture} ${device} ${description}`);
  const named = [...new Set([vendor, architecture, device, description].filter(Boolean))].join(', ');
  return {
    dawn,
    gpu,
    software,
    description: `${named || 'unnamed adapter'}${software ? ' (software)' : ''}`,
  };
}

/** Whole matrices multiplied by a subgroup (subgroupMatrices.ts); the types of WebGPU don't know the feature. */
export const subgroupMatrixFeature = 'chromium-experimental-subgroup-matrix' as GPUFeatureName;

/** Optional features that are requested where the adapter offers them. */
const wantedFeatures = ['timestamp-query', 'subgroups', 'shader-f16', subgroupMatrixFeature] as const;

const wantedLimits = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupsPerDimension',
] as const;

/** Opens the device with the adapter's own limits, which are larger than the defaults that WebGPU guarantees. */
export async function openDevice({ gpu, description }: Adapter): Promise<GPUDevice> {
  const requiredFeatures = wantedFeatures.filter((feature) => gpu.features.has(feature));
  const requiredLimits = Object.fromEntries(wantedLimits.map((name) => [name, gpu.limits[name]]));
  try {
    return await gpu.requestDevice({ requiredFeatures, requiredLimits });
  } catch (cause) {
    throw new LazyscopeError('unavailable', `${description} can't be opened: close what else uses it.`, {
      cause,
    });
  }
}
