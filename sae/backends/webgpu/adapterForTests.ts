/**
 * The adapter that tests run on: a GPU's, or that of a software Vulkan driver, which computes as a GPU does, slowly.
 * Two bring all that is tested: SwiftShader, inside Chromium's packages, and Mesa's lavapipe, which has 16-bit numbers
 * as well and which `.ci/lavapipe` fetches. The Vulkan loader finds either by an environment variable.
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
 * `found` says whether there is one with the feature, if one is asked for; `description` what it is, or why there is
 * none. Once a process: the loader looks only once.
 */
export async function adapterForTests(
  feature?: GPUFeatureName,
): Promise<{ found: boolean; description: string }> {
  // SwiftShader compiles faster.
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
