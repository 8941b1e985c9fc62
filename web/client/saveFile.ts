/** Hands a file to the browser, which keeps it where downloads go. */
export function saveFile(content: Blob, name: string, ending: string): void {
  const address = URL.createObjectURL(content);
  const link = document.createElement('a');
  link.href = address;
  link.download = `${name.replace(/[^A-Za-z0-9._-]+/g, '-')}.${ending}`;
  link.click();
  // The download reads the address after this call has returned.
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
