/**
 * `npm run test:chaos`: kills commands and servers at random moments, starts them again until they end by themselves, and compares
 * every byte that is left with what an undisturbed run leaves.
 *
 *   --kills N      altogether (default 60)            --seed S      of the moments (default 1)
 *   --work W       only this one; may be repeated     --minutes M   end after this long, with fewer kills
 *   --json         one JSON document instead of lines
 */
import { register } from 'tsx/esm/api';
import { ensureInstalled } from '../setup.mjs';

ensureInstalled();
register();
const { chaosSuite } = await import('./chaosSuite.ts');
process.exitCode = (await chaosSuite(process.argv.slice(2))) ? 0 : 1;
