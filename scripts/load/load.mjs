/**
 * `npm run test:load`: many explorers and a training job on one server. Spells with explorers and without take turns, so that
 * whatever else the machine does slows both; the training's speed is compared between them. Then readers that take nothing
 * ask for large tables, and at last all explorers leave.
 *
 *   --explorers N   open at a time (default 500), each asking every --pause S seconds on average (default 20)
 *   --watchers N    of them with the list of jobs open, which is a subscription (default 50)
 *   --minutes M     altogether (default 5)          --spell S    seconds of a spell (default 15)
 *   --strict        figures of time count too: training at most 15 % slower, half the answers within 150 ms. For a quiet machine.
 *   --json          one JSON document instead of lines
 */
import { register } from 'tsx/esm/api';
import { ensureInstalled } from '../setup.mjs';

ensureInstalled();
register();
const { loadSuite } = await import('./loadSuite.ts');
process.exitCode = (await loadSuite(process.argv.slice(2))) ? 0 : 1;
