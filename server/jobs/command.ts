export declare class Commands {
  close(): void;
}
