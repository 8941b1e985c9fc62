/** A bin of a reliability diagram, as reports have them. */
export interface ConfidenceBin {
  count: number;
  confidence: number;
  accuracy: number;
}

/** Predictions that a point stands for at least: its standard error is then 5 % at most. */
const least = 100;

/**
 * Neighbouring bins put together until each holds `enough` predictions, because the accuracy of a few predictions jumps up and down.
 * What remains at the end goes to the last bin. Confidence and accuracy are means over the predictions.
 */
export function pooledBins(bins: readonly ConfidenceBin[], enough = least): ConfidenceBin[] {
  const pooled: ConfidenceBin[] = [];
  let open: ConfidenceBin = { count: 0, confidence: 0, accuracy: 0 };
  for (const bin of bins) {
    open = together(open, bin);
    if (open.count < enough) continue;
    pooled.push(open);
    open = { count: 0, confidence: 0, accuracy: 0 };
  }
  if (open.count > 0) {
    const last = pooled.pop();
    pooled.push(last ? together(last, open) : open);
  }
  return pooled;
}

function together(a: ConfidenceBin, b: ConfidenceBin): ConfidenceBin {
  const count = a.count + b.count;
  if (count === 0) return a;
  return {
    count,
    confidence: (a.count * a.confidence + b.count * b.confidence) / count,
    accuracy: (a.count * a.accuracy + b.count * b.accuracy) / count,
  };
}
