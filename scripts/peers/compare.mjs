#!/usr/bin/env node
/** Lazyscope against PyTorch on this machine: see comparison.ts. The sources are TypeScript; tsx runs them. */
import { register } from 'tsx/esm/api';

register();
const { main } = await import('./comparison.ts');
await main(process.argv.slice(2));
