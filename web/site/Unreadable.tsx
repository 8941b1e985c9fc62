/** What is shown where the first of the site's files can't be read: the host is gone, or was given some of the files only. */
export function Unreadable({ error }: { error: unknown }) {
  return (
    <main id="content" className="page">
      <h1>This study can’t be read</h1>
      <p>
        {error instanceof Error ? error.message : String(error)} Load the page again; if that doesn’t help,
        its host lacks some of its files.
      </p>
    </main>
  );
}
