import { tokenPieces } from '../format/tokenText.ts';
import styles from './Token.module.css';

/** A token as text: its spaces and line ends visible, fainter than its letters. */
export function Token({ text }: { text: string }) {
  return (
    <span className={styles.token}>
      {tokenPieces(text).map((piece, index) =>
        piece.kind === 'mark' ? (
          <span key={index} className={styles.mark}>
            {piece.text}
          </span>
        ) : (
          piece.text
        ),
      )}
    </span>
  );
}
