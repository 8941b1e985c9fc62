/**
 * `npm run test:fuzz`: damaged and hostile files of every format that is read, made from sound ones by a seeded generator that
 * knows the format. A case fails when its reader crashes, takes more than 2 s of processor time, takes more memory than four times
 * the file and 64 MB, throws anything but the product's own errors, or accepts what contradicts itself.
 *
 * `--help` says what it takes. A failing case is printed with its number; `--format F --seed NUMBER --cases 1` runs it again.
 */
import { register } from 'tsx/esm/api';
import { ensureInstalled } from '../setup.mjs';

ensureInstalled();
register();
const { fuzzSuite } = await import('./fuzzSuite.ts');
process.exitCode = await fuzzSuite(process.argv.slice(2));
