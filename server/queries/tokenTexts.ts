export declare class TokenTexts {
  forget(): void;
}
