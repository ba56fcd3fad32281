// SPDX-License-Identifier: Apache-2.0
// The tool root out of the image, as one archive: what recipes/ build on (`make tools-image`).
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { buildImage } from './build-image.ts';
import { withImageRoot } from './image-root.ts';
import { repository } from './workplace.ts';

const archive = join(repository, 'build/tools.tar');
// Owners, order and times are not those of this machine: the same image gives the same archive.
const alike = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mtime=@0', '--exclude=./usr/lib/holdfast'];

mkdirSync(dirname(archive), { recursive: true });
await withImageRoot((await buildImage()).raw, (root) => {
  const packed = spawnSync('tar', [...alike, '-C', join(root, 'usr/lib/holdfast/toolroot'), '-cf', archive, '.'], { stdio: ['ignore', 'inherit', 'inherit'] });
  if (packed.status !== 0) throw new Error(`cannot pack the tool root: tar ended with status ${packed.status}`);
});
console.log(archive);
