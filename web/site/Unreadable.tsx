/** What is shown where the site's files can't be read at all, such as when its page is opened from a disk, where browsers read no other file. */
export function Unreadable({ error }: { error: unknown }) {
  return (
    <main id="content" className="page">
      <h1>This study can’t be read</h1>
      <p>
        {error instanceof Error ? error.message : String(error)} Its files must lie on a web server, such as
        that of ‘python3 -m http.server’.
      </p>
    </main>
  );
}
