/** Licences that a package which is installed with this one may have. `supplyChain.test.ts` reads the lock file for them. */
export const allowedLicences: readonly string[] = [
  'MIT',
  'ISC',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '0BSD',
  'Unlicense',
  'OFL-1.1',
];

/** Packages with another licence, by the beginning of their name, and why that is no obstacle. */
export const exceptions: Readonly<Record<string, { licence: string; reason: string }>> = {
  '@img/sharp-': {
    licence: 'LGPL-3.0-or-later',
    reason:
      'libvips as a shared library of its own, an optional dependency of Next.js for scaling images, of which the explorer has none',
  },
  'caniuse-lite': {
    licence: 'CC-BY-4.0',
    reason: 'data on browsers, read while the explorer is built and named here',
  },
};
