#!/usr/bin/env node
/**
 * The `lazyscope` command. In a checkout it runs the TypeScript sources as they are, through tsx, so that it never
 * runs an old build; the installed package has no sources beside this file, only what was made of them.
 */
import { existsSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';

const isCheckout = existsSync(new URL('./cli.ts', import.meta.url));
if (isCheckout) {
  // tsx keeps what it compiles there, and never starts where it can't make that folder.
  if (!statSync(tmpdir(), { throwIfNoEntry: false })?.isDirectory()) {
    console.error(
      `lazyscope: There is no folder '${tmpdir()}' for temporary files: set TMPDIR to one that is there.`,
    );
    process.exit(2);
  }
  (await import('tsx/esm/api')).register();
}
const { main } = await import(isCheckout ? './cli.ts' : '../dist/scripts/cli.js');
await main(process.argv.slice(2));
