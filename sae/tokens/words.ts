/**
 * Words of a text as search sees them: runs of letters and digits of any script, without regard to case and accents. Scripts
 * that write no spaces between words (Chinese, Japanese, Thai …) give a word a character, so that any stretch of them can be
 * found as a phrase; so does an emoji.
 *
 * Tokens may split words and even characters, so the words of tokens are found in their joined text.
 */

const unspaced = String.raw`\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\p{Extended_Pictographic}`;
const wordPattern = new RegExp(
  String.raw`[${unspaced}]\p{M}*|(?![${unspaced}])[\p{L}\p{N}_](?:(?![${unspaced}])[\p{L}\p{M}\p{N}_])*`,
  'gu',
);

/** Tokens that tokenizers add to a text: `<|endoftext|>`, `<s>`, `[CLS]` … No phrase goes across one. */
const special = /^(<\|.+\|>|<\/?(s|bos|eos|pad|unk)>|\[(CLS|SEP|PAD|UNK|MASK)\])$/;

const escapedByte = /\\x([89A-F][0-9A-F])/y;

/** Without case, accents and compatibility forms: `Éﬁ` is `efi`. Marks that are letters' own, as in Devanagari, stay. */
export function foldWord(word: string): string {
  return word
    .normalize('NFKD')
    .replaceAll(/[\u0300-\u036f]/g, '')
    .toUpperCase()
    .toLowerCase()
    .replaceAll(/[\u0300-\u036f]/g, '')
    .normalize('NFC');
}

/** The words of a question, folded, in order. */
export function wordsOf(text: string): string[] {
  return (text.match(wordPattern) ?? []).map(foldWord);
}

/** A word of a tokenized text, or the place of a token that no phrase goes across. */
export interface PlacedWord {
  /** Folded; null for a token that tokenizers add. */
  word: string | null;
  /** Indices of the tokens that hold its first and its last character. */
  first: number;
  last: number;
}

/** The words of a stretch of tokens, given by their texts as `Tokenizer.tokenText` writes them, with split bytes as \xE2. */
export function wordsOfTokens(texts: readonly string[]): PlacedWord[] {
  const words: PlacedWord[] = [];
  let from = 0;
  for (let at = 0; at <= texts.length; at++) {
    if (at < texts.length && !special.test(texts[at])) continue;
    const { text, first, last } = joinedCharacters(texts, from, at);
    for (const { 0: word, index } of text.matchAll(wordPattern))
      words.push({ word: foldWord(word), first: first[index], last: last[index + word.length - 1] });
    if (at < texts.length) words.push({ word: null, first: at, last: at });
    from = at + 1;
  }
  return words;
}

interface Characters {
  text: string;
  /** For each UTF-16 unit of the text, the first and the last token that hold a byte of its character. */
  first: number[];
  last: number[];
}

/** The text of tokens from … to − 1. Bytes that make no character become U+FFFD. */
function joinedCharacters(texts: readonly string[], from: number, to: number): Characters {
  const characters: Characters = { text: '', first: [], last: [] };
  let bytes: number[] = [];
  let firstToken = from;
  const add = (text: string, first: number, last: number) => {
    characters.text += text;
    for (let i = 0; i < text.length; i++) {
      characters.first.push(first);
      characters.last.push(last);
    }
  };
  const giveUp = (last: number) => {
    if (bytes.length > 0) add('\ufffd', firstToken, last);
    bytes = [];
  };
  for (let token = from; token < to; token++) {
    const text = texts[token];
    for (let at = 0; at < text.length;) {
      escapedByte.lastIndex = at;
      const found = text[at] === '\\' ? escapedByte.exec(text) : null;
      if (!found) {
        giveUp(token);
        const next = text.indexOf('\\', at + 1);
        const end = next < 0 ? text.length : next;
        add(text.slice(at, end), token, token);
        at = end;
        continue;
      }
      const byte = Number.parseInt(found[1], 16);
      if (byte >= 0xc0) giveUp(token);
      if (bytes.length === 0) firstToken = token;
      bytes.push(byte);
      const wanted = characterLength(bytes[0]);
      if (bytes.length >= wanted) {
        const character = decoded(bytes);
        if (character === undefined) giveUp(token);
        else add(character, firstToken, token);
        bytes = [];
      }
      at += found[0].length;
    }
  }
  giveUp(to - 1);
  return characters;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decoded(bytes: readonly number[]): string | undefined {
  try {
    return decoder.decode(Uint8Array.from(bytes));
  } catch {
    return undefined;
  }
}

/** How many bytes the character has that begins with this one; 0 if none does. */
function characterLength(first: number): number {
  if (first >= 0xc2 && first <= 0xdf) return 2;
  if (first >= 0xe0 && first <= 0xef) return 3;
  return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}
