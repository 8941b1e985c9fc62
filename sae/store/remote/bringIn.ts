/**
 * Stores that lie elsewhere, of which files are fetched when they are first read. Their folder on this disk has every file at its place and of
 * its size from the beginning; the content comes with `bringIn`, which whatever opens a file of a store calls before. Where such a store can be
 * written, a file that has taken its name on this disk goes there with `putOut`, and one that was removed is removed there with `takeOut`.
 */
import { rm } from 'node:fs/promises';
import { sep } from 'node:path';
import type { SharedObject } from './s3/sharedObject.ts';

/** A folder whose files are somewhere else until they are asked for. */
export interface RemoteFiles {
  /** Absolute. */
  readonly root: string;
  /** The address of the store, as it is shown. */
  readonly url: string;
  /** A folder of this disk for all processes that have this store open; nothing in it belongs to the store. */
  readonly machineFolder?: string;
  /** Gives the file its content; nothing where it isn't one of theirs. */
  bringIn(path: string): Promise<void>;
  /** The same of every file below a folder. */
  bringInFolder(folder: string): Promise<void>;
  /** The same of several files, which stay until the function that it returns is called. */
  hold(paths: readonly string[], options?: HoldOptions): Promise<Release>;
  /** Begins to fetch files that will be asked for soon, as far as there is room for them beside what is in use. */
  fetchAhead(paths: readonly string[]): void;
  /** Whether all of these files could be held at once. */
  hasRoomFor(paths: readonly string[]): boolean;
  /** An object of the store's own that is no file of it, by its name; absent where nothing can be written. */
  shared?(name: string): SharedObject;
  /** Asks again which files there are; absent where that isn't for whoever reads to say. */
  refresh?(): Promise<unknown>;
  /** What can be changed besides; absent where nothing can. */
  readonly changes?: RemoteChanges;
}

/** How a store that lies elsewhere is changed. */
export interface RemoteChanges {
  /** A file has its name and is whole. Throws 'conflict' where another writer has changed it meanwhile, and what sending it throws. */
  putOut(path: string): Promise<void>;
  /** A file, or all below a folder, was removed. */
  takeOut(path: string): Promise<void>;
  /** Takes the folder for this process, as `withLock` does on this disk. Returns what gives it back. Throws 'conflict' while somebody has it. */
  lock(folder: string, what: string): Promise<() => Promise<void>>;
}

/** What is said of files that are held. */
export interface HoldOptions {
  /** Whether fetching them is no step of its own, of which progress is told. */
  quietly?: boolean;
}

/** Lets files go. With `spent`, they make room before others that nobody has asked for as long. */
export type Release = (spent?: boolean) => void;

const mounted = new Map<string, RemoteFiles>();

/** From now on `bringIn` fetches files of this folder. Returns what ends that. */
export function mountRemote(files: RemoteFiles): () => void {
  mounted.set(files.root, files);
  return () => mounted.delete(files.root);
}

function* storesOf(path: string): Generator<RemoteFiles> {
  for (const files of mounted.values()) if (path.startsWith(files.root + sep)) yield files;
}

/** The folder for what this machine alone knows of a store: the store itself, or, where that lies elsewhere, the folder of its caches. */
export function machineFolder(root: string): string {
  return mounted.get(root)?.machineFolder ?? root;
}

/** Waits until a file, absolute, can be read on this disk. At once for files that were always here. Throws what fetching it throws. */
export async function bringIn(path: string): Promise<void> {
  for (const files of storesOf(path)) await files.bringIn(path);
}

/** The same of every file below a folder, or of one file: for what another process is going to read. */
export async function bringInFolder(path: string): Promise<void> {
  await bringIn(path);
  for (const files of storesOf(path)) await files.bringInFolder(path);
}

/** Waits until several files of one folder can be read, which then stay on this disk until the function that it returns is called. */
export async function holdIn(paths: readonly string[], options?: HoldOptions): Promise<Release> {
  for (const files of paths.length > 0 ? storesOf(paths[0]) : []) return files.hold(paths, options);
  return () => {};
}

/** Whether files of this folder are fetched when they are first read. */
export function isFetched(folder: string): boolean {
  return !storesOf(folder).next().done;
}

/** Begins to fetch files of one folder that will be asked for soon, as far as there is room for them beside what is in use. */
export function fetchAhead(paths: readonly string[]): void {
  for (const files of paths.length > 0 ? storesOf(paths[0]) : []) files.fetchAhead(paths);
}

/** Whether all of these files of one folder could be on this disk at once. */
export function hasRoomFor(paths: readonly string[]): boolean {
  for (const files of paths.length > 0 ? storesOf(paths[0]) : []) return files.hasRoomFor(paths);
  return true;
}

/** What stands for a file, absolute, that several processes of other machines write; undefined where it is one of this disk. */
export function sharedOf(path: string, name: string): SharedObject | undefined {
  for (const files of storesOf(path)) return files.shared?.(name);
  return undefined;
}

/** Sees what others have written into the store of this folder. */
export async function refreshStored(folder: string): Promise<void> {
  await mounted.get(folder)?.refresh?.();
}

/** Tells the store to which a file belongs that it is there, or is another than before. Throws what sending it throws. */
export async function putOut(path: string): Promise<void> {
  for (const { changes } of storesOf(path)) await changes?.putOut(path);
}

/** Removes a file of a store, or a folder with all that is in it; nothing where there is none. */
export async function removeStored(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
  for (const { changes } of storesOf(path)) await changes?.takeOut(path);
}

/** Takes a folder for this process where other machines may want it too. Returns what gives it back. Throws 'conflict' while somebody has it. */
export async function lockOut(folder: string, what: string): Promise<() => Promise<void>> {
  for (const { changes } of storesOf(folder)) if (changes) return changes.lock(folder, what);
  return async () => {};
}
