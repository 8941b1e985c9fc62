/** The rows whose text contains every word of `find`, in any order, ignoring case. */
export function findRows<Row>(rows: readonly Row[], find: string, text: (row: Row) => string): Row[] {
  const words = find.toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter((row) => {
    const lower = text(row).toLowerCase();
    return words.every((word) => lower.includes(word));
  });
}
