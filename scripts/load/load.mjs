/**
 * `npm run test:load`: many explorers and a training job on one server. Spells with explorers and without take turns, so that
 * whatever else the machine does slows both; the training's speed is compared between them. Then readers that take nothing
 * ask for large tables, and at last all explorers leave.
 * `--help` says what it takes. It says its progress on standard error; Ctrl-C prints the figures so far.
 */
import { register } from 'tsx/esm/api';
import { ensureInstalled } from '../setup.mjs';

ensureInstalled();
register();
const { loadSuite } = await import('./loadSuite.ts');
// What was cut short may still wait for something.
process.exit(await loadSuite(process.argv.slice(2)));
