/**
 * The adapter that tests run on: a GPU's, or that of a software Vulkan driver, which computes as a GPU does, slowly.
 * Chromium's packages bring one, SwiftShader; the Vulkan loader finds it by an environment variable.
 */
import { existsSync } from 'node:fs';
import { isLazyscopeError } from '../../errors.ts';
import { findAdapter } from './adapter.ts';
import { hasVulkanDriver } from './vulkanDrivers.ts';

const softwareDriver = '/usr/lib/chromium/vk_swiftshader_icd.json';

/** `found` says whether there is one; `description` what it is, or why there is none. */
export async function adapterForTests(): Promise<{ found: boolean; description: string }> {
  if (!hasVulkanDriver() && existsSync(softwareDriver)) process.env['VK_DRIVER_FILES'] ??= softwareDriver;
  try {
    return { found: true, description: (await findAdapter()).description };
  } catch (error) {
    if (!isLazyscopeError(error)) throw error;
    return { found: false, description: `no adapter, SKIPPED: ${error.message}` };
  }
}
