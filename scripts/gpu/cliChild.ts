/** Runs the `lazyscope` command from its sources in whatever way this process loads TypeScript. */
import { main } from '../cli.ts';

await main(process.argv.slice(2));
