/**
 * The adapter that tests run on: that of a GPU, or of a software Vulkan driver, which computes as a GPU does, only slowly.
 * Two software drivers have the features that are tested: SwiftShader, inside Chromium's packages, and Mesa's lavapipe, which has 16-bit numbers
 * as well and which `.ci/lavapipe` fetches. An environment variable tells the Vulkan loader where either is.
 */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { isLazyscopeError } from '../../errors.ts';
import { findAdapter } from './adapter.ts';
import { hasVulkanDriver } from './vulkanDrivers.ts';

const swiftShader = '/usr/lib/chromium/vk_swiftshader_icd.json';
const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
const lavapipe = join(cache, 'lazyscope', 'lavapipe', 'lvp_icd.json');

/**
 * `found` says whether there is an adapter, with `feature` if one is given; `description` is its name, or why there is
 * none. It works once in a process, because the Vulkan loader looks for drivers only once.
 */
export async function adapterForTests(
  feature?: GPUFeatureName,
): Promise<{ found: boolean; description: string }> {
  // SwiftShader is preferred, because it compiles shaders faster.
  const drivers = feature === 'shader-f16' ? [lavapipe, swiftShader] : [swiftShader, lavapipe];
  const driver = drivers.find((path) => existsSync(path));
  if (!hasVulkanDriver() && driver) process.env['VK_DRIVER_FILES'] ??= driver;
  try {
    const { description, gpu } = await findAdapter();
    if (feature && !gpu.features.has(feature))
      return { found: false, description: `no ${feature}, SKIPPED: ${description}` };
    return { found: true, description };
  } catch (error) {
    if (!isLazyscopeError(error)) throw error;
    return { found: false, description: `no adapter, SKIPPED: ${error.message}` };
  }
}
