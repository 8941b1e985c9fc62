import type { SearchExample } from '../../../server/client.ts';
import { percent } from '../../format/number.ts';
import { joinSplitCharacters, visibleToken } from '../../format/tokenText.ts';
import { Token } from '../ui/Token.tsx';
import styles from './MatchedText.module.css';

/** An example with the places of the phrase marked, and the token on which the feature is strongest underlined. */
export function MatchedText({ example }: { example: SearchExample }) {
  const { tokens, matches, position, start, strength } = example;
  const texts = joinSplitCharacters(tokens.map(({ text }) => text)).map((text) =>
    text.replaceAll(/\n+/g, ' '),
  );
  const peak = position - start;
  const marked = (index: number) => matches.some(({ first, last }) => first <= index && index <= last);
  const parts: { marked: boolean; from: number; to: number }[] = [];
  for (const index of tokens.keys()) {
    const part = parts.at(-1);
    if (part?.marked === marked(index)) part.to = index + 1;
    else parts.push({ marked: marked(index), from: index, to: index + 1 });
  }
  return (
    <p className={styles.text}>
      {parts.map(({ marked: isMarked, from, to }) => {
        const pieces = texts.slice(from, to).map((text, i) => (
          <span
            key={from + i}
            className={from + i === peak ? styles.peak : undefined}
            title={
              from + i === peak
                ? `strongest on “${visibleToken(tokens[peak]?.text ?? '')}”: ${percent(strength)} of the feature’s largest activation`
                : undefined
            }
          >
            <Token running text={from + i === 0 ? text.replace(/^ +(?=\S)/, '') : text} />
          </span>
        ));
        return isMarked ? (
          <mark key={from} className={styles.mark}>
            {pieces}
          </mark>
        ) : (
          <span key={from}>{pieces}</span>
        );
      })}
    </p>
  );
}
