/** `npm run demo`: set up what is missing, then hand over to the command line. */
import { ensureInstalled } from './setup.mjs';

ensureInstalled();
await import('./lazyscope.mjs');
