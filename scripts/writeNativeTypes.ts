/** Writes the TypeScript types of the native library from its header: `npx tsx scripts/writeNativeTypes.ts`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { describeFunctions } from '../sae/backends/native/describeFunctions.ts';
import { parseHeader } from '../sae/backends/native/header.ts';

const folder = join(import.meta.dirname, '..', 'sae', 'backends', 'native');
const target = join(folder, 'nativeFunctions.ts');
const header = parseHeader(readFileSync(join(folder, 'source', 'lazyscope.h'), 'utf8'));
const text = await format(describeFunctions(header), { ...(await resolveConfig(target)), filepath: target });
writeFileSync(target, text);
