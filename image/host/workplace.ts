// SPDX-License-Identifier: Apache-2.0
// Where the building machine keeps things, and how it runs programs of the tools tree.
import { execFileSync, spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync, readlinkSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export const repository = join(import.meta.dirname, '../..');
export const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'holdfast');

export function toolsTree(): string {
  return readFileSync(join(cache, 'tools/current'), 'utf8').trim();
}

const isRoot = process.getuid?.() === 0;

function inTools(dirs: readonly string[], command: readonly string[]): string[] {
  return [join(repository, 'image/host/in-tools.sh'), toolsTree(), ...dirs, '--', ...command];
}

/** Runs a program of the tools tree to its end; its output goes to `options.stdio`. `asRoot` is for mkosi, nothing else. */
export function runInTools(dirs: readonly string[], command: readonly string[], options: { asRoot?: boolean; cwd?: string; log?: number } = {}): Promise<void> {
  const words = inTools(dirs, command);
  const argv = options.asRoot && !isRoot ? ['sudo', '--preserve-env=HOLDFAST_CWD', ...words] : words;
  return finished(startWords(argv, { cwd: options.cwd, stdio: ['ignore', options.log ?? 'inherit', options.log ?? 'inherit'] }), command[0]!);
}

/** Starts a long-lived program of the tools tree (QEMU). */
export function startInTools(dirs: readonly string[], command: readonly string[], options: SpawnOptions): ChildProcess {
  return startWords(inTools(dirs, command), options);
}

function startWords(argv: readonly string[], options: Omit<SpawnOptions, 'cwd'> & { cwd?: string | URL | undefined }): ChildProcess {
  const { cwd, ...rest } = options;
  return spawn(argv[0]!, argv.slice(1), { ...rest, env: { ...process.env, HOLDFAST_CWD: String(cwd ?? '/') } });
}

export function finished(child: ChildProcess, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => (code === 0 ? resolve() : reject(new Error(`${name} ended with ${signal ?? `status ${code}`}`))));
  });
}

/** SHA-256 over the names, kinds (git knows no finer modes) and bytes of the files that git would commit below the given paths. */
export function hashOfInputs(paths: readonly string[], leaveOut: RegExp): string {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', ...paths], { cwd: repository });
  const hash = createHash('sha256');
  for (const file of [...new Set(listed.toString('utf8').split('\0'))].filter((f) => f !== '' && !leaveOut.test(f)).sort()) {
    const path = join(repository, file);
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined) continue; // deleted, not yet committed
    const bytes = stat.isSymbolicLink() ? Buffer.from(readlinkSync(path)) : readFileSync(path);
    const kind = stat.isSymbolicLink() ? 'link' : (stat.mode & 0o100) !== 0 ? 'program' : 'file';
    hash.update(`${file}\0${kind}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest('hex');
}

/** Holds an exclusive lock of the cache while `work` runs: two builds at once would tread on one another. */
export async function withLock<T>(name: string, work: () => Promise<T>): Promise<T> {
  mkdirSync(cache, { recursive: true });
  const holder = spawn('flock', [join(cache, `${name}.lock`), 'sh', '-c', 'echo held; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  await new Promise<void>((resolve, reject) => {
    holder.once('error', reject);
    holder.stdout!.once('data', () => resolve());
  });
  try {
    return await work();
  } finally {
    holder.stdin!.end();
  }
}
