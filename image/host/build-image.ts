// SPDX-License-Identifier: Apache-2.0
// Builds the image with mkosi in the tools tree. The result lies in the cache under the hash of all its inputs: the same
// inputs are never built twice.
import { execFileSync } from 'node:child_process';
import { chmodSync, closeSync, existsSync, lstatSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { imagesBelowDisks } from './machine-folder.ts';
import { step } from './progress.ts';
import { cache, hashOfInputs, repository, runInTools, toolsTree, withLock } from './workplace.ts';

const INPUTS = ['image', 'rootfs-overlay', 'systemd', 'apparmor.d', 'seccomp', 'host-agent', 'package-lock.json'];
const NOT_INPUTS = /\.test\.ts$|\/testdata\/|^image\/host\/(machine|seed|run|demo|progress|first-screen|ssh)/;

/** What mkosi copies or runs. Its modes reach the image, and a checkout has those of somebody's umask. */
const TREES = ['rootfs-overlay', 'systemd', 'apparmor.d', 'image', 'build/root', 'build/toolroot', 'build/initrd'];

export function plainModes(path: string): void {
  const stat = lstatSync(path);
  if (stat.isSymbolicLink()) return;
  chmodSync(path, stat.isDirectory() || (stat.mode & 0o100) !== 0 ? 0o755 : 0o644);
  if (stat.isDirectory()) for (const name of readdirSync(path)) plainModes(join(path, name));
}

export type Image = {
  /** The disk image that is booted. */
  readonly raw: string;
  readonly manifest: string;
  /** Hash of the inputs. */
  readonly key: string;
};

/** The command line that the UKI carries, after roothash=. */
function kernelCommandLine(): string {
  return readFileSync(join(repository, 'image/kernel-command-line.txt'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .join(' ');
}

export function writePackageSources(dir: string): void {
  const sources = execFileSync(join(repository, 'image/host/mirrors.sh'), ['trixie'], { encoding: 'utf8' });
  const fallback = ['trixie', 'trixie-updates'].map((s) => `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian ${s} main`);
  mkdirSync(join(dir, 'etc/apt/sources.list.d'), { recursive: true });
  // Named mkosi.sources' way: mkosi writes its own list only where none is, and its own asks for archives that mirrors lack.
  writeFileSync(join(dir, 'etc/apt/sources.list.d/mkosi.list'), sources === '' ? `${fallback.join('\n')}\n` : sources);
  writeFileSync(join(dir, 'etc/apt/sources.list.d/mkosi.sources'), '');
}

export async function buildImage(): Promise<Image> {
  const key = `${hashOfInputs(INPUTS, NOT_INPUTS).slice(0, 24)}`;
  const dir = join(cache, 'images', key);
  const image = { raw: join(dir, 'holdfast.raw'), manifest: join(dir, 'holdfast.manifest'), key };
  if (existsSync(image.raw)) return image;
  return withLock('image', async () => {
    if (existsSync(image.raw)) return image;
    await step('building the host agent', async () => {
      execFileSync(process.execPath, [join(repository, 'host-agent/build.ts')], { cwd: repository, stdio: ['ignore', 2, 2] });
    });
    await step('building the image (2 to 6 minutes the first time)', () => mkosi(join(cache, 'mkosi'), `${dir}.partial`));
    rmSync(dir, { recursive: true, force: true });
    renameSync(`${dir}.partial`, dir);
    forgetOldImages(key);
    return image;
  });
}

/** Runs mkosi into `output`; `work` keeps its package and build caches. */
export async function mkosi(work: string, output: string, options: { cold?: boolean } = {}): Promise<void> {
  const initrd = join(repository, 'build/initrd/usr/lib/holdfast');
  const sources = join(repository, 'build/package-sources');
  rmSync(output, { recursive: true, force: true });
  for (const d of [initrd, output, ...['packages', 'cache', 'workspace'].map((d) => join(work, d))]) mkdirSync(d, { recursive: true });
  writeFileSync(join(initrd, 'cmdline'), `${kernelCommandLine()}\n`);
  for (const tree of TREES) plainModes(join(repository, tree));
  rmSync(sources, { recursive: true, force: true });
  writePackageSources(sources);
  const version = (JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as { version: string }).version;
  const log = openSync(join(cache, 'image.log'), 'w');
  try {
    await runInTools(
      [repository, cache, work, output],
      [
        'mkosi',
        '--directory', join(repository, 'image'),
        '--image-version', version,
        '--output-directory', output,
        '--package-cache-directory', join(work, 'packages'),
        '--workspace-directory', join(work, 'workspace'),
        ...(options.cold ? ['--incremental=no'] : ['--cache-directory', join(work, 'cache')]),
        '--sandbox-tree', sources,
        '--kernel-command-line', kernelCommandLine(),
        '--force',
        'build',
      ],
      { asRoot: true, cwd: join(repository, 'image'), log },
    );
    // It lies in the image now.
    await runInTools([output], ['rm', '-rf', join(output, 'toolroot')], { asRoot: true });
  } catch (error) {
    process.stderr.write(`${readFileSync(join(cache, 'image.log'), 'utf8').split('\n').slice(-25).join('\n')}\n`);
    throw new Error(`cannot build the image; the whole output is in ${join(cache, 'image.log')}`, { cause: error });
  } finally {
    closeSync(log);
  }
}

function forgetOldImages(current: string): void {
  const images = join(cache, 'images');
  const byAge = readdirSync(images).sort((a, b) => statSync(join(images, b)).mtimeMs - statSync(join(images, a)).mtimeMs);
  const kept = [current, ...imagesBelowDisks(cache)];
  for (const old of byAge.filter((name) => !kept.includes(name)).slice(3)) rmSync(join(images, old), { recursive: true, force: true });
}

if (import.meta.main) {
  toolsTree();
  const image = await buildImage();
  console.log(image.raw);
}
