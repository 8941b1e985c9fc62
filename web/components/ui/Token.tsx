import { runningPieces, tokenPieces } from '../../format/tokenText.ts';
import styles from './Token.module.css';

/** A token as text, with visible spaces and line ends, fainter than its letters. In `running` text spaces are plain spaces. */
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
