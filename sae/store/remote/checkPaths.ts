import { LazyscopeError } from '../../errors.ts';

/** Throws 'corrupt' for a path that is listed twice, also in other capitals, or as a file and as a folder. `where` and `remedy` stand in its sentence. */
export function checkPaths(files: readonly { path: string }[], where: string, remedy: string): void {
  const seen = new Set<string>();
  const folders = new Set<string>();
  const twice = (path: string) => new LazyscopeError('corrupt', `${where} lists '${path}' twice: ${remedy}.`);
  for (const { path } of files) {
    const key = path.toLowerCase();
    if (seen.has(key)) throw twice(path);
    seen.add(key);
    for (let at = key.indexOf('/'); at >= 0; at = key.indexOf('/', at + 1)) folders.add(key.slice(0, at));
  }
  for (const { path } of files) if (folders.has(path.toLowerCase())) throw twice(path);
}
