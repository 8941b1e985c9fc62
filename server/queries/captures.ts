import type { ServerContext } from '../context.ts';
import type { CaptureDetail, CaptureRow } from '../contract/captures.ts';
export declare function listCaptures(server: ServerContext): Promise<CaptureRow[]>;
export declare function getCapture(server: ServerContext, name: string): Promise<CaptureDetail>;
