/**
 * `npm run test:workers`: a sweep of eight runs on workers that take jobs from a real Redis, workers and Redis killed at random moments,
 * and every byte that is left compared with what one machine makes that is left alone.
 *
 *   --kills N      altogether (default 6)            --seed S      of the moments (default 1)
 *   --workers N    at a time (default 2)             --minutes M   end after this long, with fewer kills
 *   --split        instead of the sweep: a capture, indexes and comparisons in parts
 *   --busy         instead: four workers that are left alone, and the share of the cores that they keep busy
 *   --tokens N     of each run of the sweep
 *   --json         one JSON document instead of lines
 */
import { register } from 'tsx/esm/api';
import { ensureInstalled } from '../setup.mjs';

ensureInstalled();
register();
const { workersSuite } = await import('./workersSuite.ts');
process.exitCode = (await workersSuite(process.argv.slice(2))) ? 0 : 1;
