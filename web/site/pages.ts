/** The pages that a published site has. */

/** Whether an address leads to one of them. */
export function isPublishedPage(address: string): boolean {
  const [path] = address.split('?');
  return path === '/' || /^\/(runs|compare)(\/|$)/.test(path);
}
