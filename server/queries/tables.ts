export declare class Tables {
  close(): void;
}
