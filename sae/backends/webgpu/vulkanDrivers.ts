/**
 * Whether Linux has a Vulkan driver at all, by the manifests that the Vulkan loader looks for. When Dawn is asked for an adapter
 * and there is none, it writes several lines to standard error that cannot be caught.
 */
import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export function hasVulkanDriver(environment: NodeJS.ProcessEnv = process.env): boolean {
  const named = environment['VK_DRIVER_FILES'] ?? environment['VK_ICD_FILENAMES'];
  if (named) return named.split(':').some((path) => existsSync(path));
  const data = (environment['XDG_DATA_DIRS'] ?? '').split(':').filter(Boolean);
  const folders = [
    ...data.map((folder) => join(folder, 'vulkan')),
    join(homedir(), '.local/share/vulkan'),
    '/usr/local/share/vulkan',
    '/usr/share/vulkan',
    '/etc/vulkan',
  ].map((folder) => join(folder, 'icd.d'));
  return folders.some(
    (folder) => existsSync(folder) && readdirSync(folder).some((name) => name.endsWith('.json')),
  );
}
