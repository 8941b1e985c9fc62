import { runningPieces, tokenPieces } from '../../format/tokenText.ts';
import styles from './Token.module.css';

/** A token as text: its spaces and line ends visible, fainter than its letters; spaces not in `running` text. */
export function Token({ text, running = false }: { text: string; running?: boolean }) {
  return (
    <span className={running ? styles.running : styles.token}>
      {(running ? runningPieces : tokenPieces)(text).map((piece, index) =>
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
