import { expect, test } from 'vitest';
import { LabelLedger } from './labelLedger.ts';

test('a confirmed label that is gone or another is lost', () => {
  const ledger = new LabelLedger();
  ledger.sent(1, 'a');
  ledger.confirmed(1, 'a');
  ledger.sent(2, 'b');
  ledger.confirmed(2, 'b');
  expect(ledger.lost(new Map([[1, 'a']]))).toEqual([`label 2 was confirmed as 'b' and is 'undefined'`]);
});

test('a label whose answer never came may be there or not; if it is, it has to be there after the next kill too', () => {
  const ledger = new LabelLedger();
  ledger.sent(66, 'old');
  ledger.confirmed(66, 'old');
  ledger.sent(66, 'new');
  expect(ledger.lost(new Map([[66, 'new']]))).toEqual([]);
  // Killed again before anything of it was written.
  expect(ledger.lost(new Map([[66, 'new']]))).toEqual([]);
  expect(ledger.lost(new Map([[66, 'old']]))).toEqual([`label 66 was confirmed as 'new' and is 'old'`]);

  const other = new LabelLedger();
  other.sent(66, 'old');
  other.confirmed(66, 'old');
  other.sent(66, 'new');
  expect(other.lost(new Map([[66, 'old']]))).toEqual([]);
  expect(other.lost(new Map([[66, 'new']]))).toHaveLength(1);
});
