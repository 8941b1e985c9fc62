/**
 * The merges of a SentencePiece BPE vocabulary, which the file replaces by scores. SentencePiece joins the neighbours whose
 * piece has the best score; Hugging Face's converter lists every way to make a piece of two others, best piece first, and
 * equally good ones by the lengths of their halves (transformers, convert_slow_tokenizer.py, `generate_merges`).
 */
export function mergesByScore(pieces: readonly string[], scores: readonly number[]): [string, string][] {
  const ids = new Map(pieces.map((piece, id) => [piece, id]));
  const merges: { left: string; right: string; score: number }[] = [];
  // A piece twice in the vocabulary counts once, with its last id.
  for (const [piece, id] of ids) {
    const ways: typeof merges = [];
    for (let at = 1; at < piece.length; at++) {
      if (isLowSurrogate(piece.charCodeAt(at))) continue;
      const left = piece.slice(0, at);
      const right = piece.slice(at);
      if (ids.has(left) && ids.has(right)) ways.push({ left, right, score: scores[id] });
    }
    ways.sort((a, b) => ids.get(a.left)! - ids.get(b.left)! || ids.get(a.right)! - ids.get(b.right)!);
    merges.push(...ways);
  }
  const length = (text: string) => [...text].length;
  return merges
    .map((merge) => ({ ...merge, leftLength: length(merge.left), rightLength: length(merge.right) }))
    .sort((a, b) => b.score - a.score || b.leftLength - a.leftLength || b.rightLength - a.rightLength)
    .map(({ left, right }) => [left, right]);
}

const isLowSurrogate = (code: number) => code >= 0xdc00 && code < 0xe000;
