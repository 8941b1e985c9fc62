/**
 * What `lazyscope tensorflow install` leaves in the user's cache: the add-on that binds libtensorflow to Node, the JavaScript and C++ of
 * the npm package it is made of, and, where it came out of a wheel, the library itself.
 *
 *     tensorflow/installation.json   what is below, written last
 *     tensorflow/tfjs_binding.node   compiled here
 *     tensorflow/package/            dist and binding of @tensorflow/tfjs-node-gpu
 *     tensorflow/lib/                libtensorflow, unless it stays where Python keeps it
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { LazyscopeError } from '../../../errors.ts';

/** The version of tfjs-node that tfjs-core's is: two engines would not share tensors. */
export const tfjsNodeVersion = '4.22.0';
export const addonName = 'tfjs_binding.node';
export const manifestName = 'installation.json';

export const deviceSchema = z.strictObject({
  type: z.string(),
  /** What the device calls itself; null where TensorFlow doesn't say. */
  model: z.string().nullable(),
  memoryBytes: z.number().nonnegative(),
});
/** A device that TensorFlow computes on. */
export type TensorflowDevice = z.infer<typeof deviceSchema>;

export const installationSchema = z.strictObject({
  version: z.literal(1),
  /** What the library says of itself. */
  tensorflow: z.string(),
  tfjsNode: z.string(),
  /** The wheel's file or the folder that the library was taken from. */
  source: z.string(),
  /** Whether the libraries were copied into the installation, or are used where they are. */
  copied: z.boolean(),
  libraries: z.array(z.string()).min(1),
  compiler: z.string(),
  devices: z.array(deviceSchema),
  installedAt: z.string(),
});
export type Installation = z.infer<typeof installationSchema>;

/** An add-on that can be loaded, with the package whose JavaScript uses it. */
export interface AddonPlace {
  packageFolder: string;
  addon: string;
  /** The library that the add-on is linked with; unknown where a package brought its own. */
  libraries: string[];
  source: string;
}

export const remedy =
  'Run lazyscope tensorflow install; docs/TENSORFLOW.md says where TensorFlow can be taken from.';

export function installationFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'lazyscope', 'tensorflow');
}

/** What is installed, or null. Throws `unavailable` for an installation that another version of the product made. */
export function readInstallation(folder = installationFolder()): Installation | null {
  const path = join(folder, manifestName);
  if (!existsSync(path)) return null;
  let document: unknown;
  try {
    document = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    document = null;
  }
  const parsed = installationSchema.safeParse(document);
  if (!parsed.success || parsed.data.tfjsNode !== tfjsNodeVersion)
    throw new LazyscopeError(
      'unavailable',
      `The installation in ${folder} is not one of this version of Lazyscope: run lazyscope tensorflow install again.`,
    );
  return parsed.data;
}

/**
 * The add-on to load: that of `lazyscope tensorflow install`, otherwise that of an npm package whose own installer has run. Throws
 * `unavailable` with what is missing.
 */
export function findAddon(): AddonPlace {
  const folder = installationFolder();
  const installed = readInstallation(folder);
  if (installed) {
    const addon = join(folder, addonName);
    const missing = [addon, ...installed.libraries].find((path) => !existsSync(path));
    if (missing)
      throw new LazyscopeError(
        'unavailable',
        `${missing}, which was there when TensorFlow was installed from ${installed.source}, is gone: run lazyscope tensorflow install again.`,
      );
    const { libraries, source } = installed;
    return { packageFolder: join(folder, 'package'), addon, libraries, source };
  }
  for (const name of packageNames) {
    const packageFolder = installedPackage(name);
    const addon = packageFolder && ['8', '7', '6'].map((napi) => join(packageFolder, 'lib', `napi-v${napi}`, addonName)).find(existsSync); // prettier-ignore
    if (packageFolder && addon) return { packageFolder, addon, libraries: [], source: name };
  }
  throw new LazyscopeError('unavailable', `TensorFlow is not installed for Lazyscope. ${remedy}`);
}

export const packageNames = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'] as const;

/** The folder of an npm package that is installed in the right version; null where it isn't. */
export function installedPackage(name: string): string | null {
  const require = createRequire(import.meta.url);
  try {
    const manifest = require.resolve(`${name}/package.json`);
    const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
    return version === tfjsNodeVersion ? dirname(manifest) : null;
  } catch {
    return null;
  }
}
