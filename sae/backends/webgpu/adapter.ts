/** Finding a GPU, saying what it is, and opening it with everything it has. */
import { LazyscopeError } from '../../errors.ts';
import { type Dawn, loadDawn } from './dawn.ts';
import { hasVulkanDriver } from './vulkanDrivers.ts';

export interface Adapter {
  readonly dawn: Dawn;
  readonly gpu: GPUAdapter;
  /** For people: vendor, architecture, driver. */
  readonly description: string;
  /** Whether the processor computes, not a GPU: SwiftShader, llvmpipe, WARP. */
  readonly software: boolean;
}

export const adapterRemedy =
  'Install the driver of your GPU (on Linux its Vulkan driver, and the loader libvulkan1).';
const none = () => new LazyscopeError('unavailable', `Backend webgpu finds no GPU. ${adapterRemedy}`);

/** Throws `unavailable` where there is no adapter: TF.js would go on with its slowest backend instead. */
export async function findAdapter(): Promise<Adapter> {
  if (process.platform === 'linux' && !hasVulkanDriver()) throw none();
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

/** Used where the adapter offers them. */
const wantedFeatures = ['timestamp-query', 'subgroups', 'shader-f16'] as const;

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

/** The device, with the adapter's own limits instead of the small ones that every browser promises. */
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
