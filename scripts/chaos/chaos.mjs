/**
 * `npm run test:chaos`: kills commands and servers at random moments, starts them again until they end by themselves, and compares
 * every byte that is left with what an undisturbed run leaves. `--help` says what it takes.
 */
import { register } from 'tsx/esm/api';
import { ensureInstalled } from '../setup.mjs';

ensureInstalled();
register();
const { chaosSuite } = await import('./chaosSuite.ts');
process.exitCode = await chaosSuite(process.argv.slice(2));
