#!/usr/bin/env node
/**
 * The `lazyscope` command. In a checkout it runs the TypeScript sources as they are, through tsx, so that it never
 * runs an old build; the installed package has no sources beside this file, only what was made of them.
 */
import { existsSync } from 'node:fs';

const isCheckout = existsSync(new URL('./cli.ts', import.meta.url));
if (isCheckout) (await import('tsx/esm/api')).register();
const { main } = await import(isCheckout ? './cli.ts' : '../dist/scripts/cli.js');
await main(process.argv.slice(2));
