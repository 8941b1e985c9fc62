#!/usr/bin/env node
/** The `lazyscope` command. The sources are TypeScript; tsx runs them as they are. */
import { register } from 'tsx/esm/api';

register();
const { main } = await import('./cli.ts');
await main(process.argv.slice(2));
