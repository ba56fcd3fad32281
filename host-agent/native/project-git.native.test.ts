// SPDX-License-Identifier: Apache-2.0
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { OwnProgram } from '../src/sandbox/own-plan.ts';
import { bundleWork, cloneWork, readGit } from '../src/tools/project-git.ts';
import { fileToolRig } from './testdata/under-filter.ts';

// The very programs of a bundle's way in and out, with the real git and the real file tool; without the sandbox, so that what got out of
// git's hands would be seen.

const NAME = '.holdfast-bundle-c-1';
const { tool, fresh } = fileToolRig();
let dir: string;
let root: string;
/** Whatever a repository has run writes here. */
let mark: string;
beforeEach(() => {
  ({ dir, root } = fresh());
  mark = join(dir, 'mark');
  mkdirSync(join(dir, 'home'));
});

function run(args: readonly string[]) {
  const ran = spawnSync(tool, [root, ...args], { timeout: 60_000 });
  return { status: ran.status, said: JSON.parse(ran.stderr.toString()) as Record<string, unknown> };
}

/** As a person of another machine. */
function git(cwd: string, words: readonly string[], input: string | Buffer = ''): string {
  const who = { GIT_AUTHOR_NAME: 't', GIT_AUTHOR_EMAIL: 't@t', GIT_COMMITTER_NAME: 't', GIT_COMMITTER_EMAIL: 't@t' };
  const env = { PATH: process.env['PATH'], HOME: join(dir, 'home'), GIT_CONFIG_NOSYSTEM: '1', ...who };
  return execFileSync('git', words, { cwd, env, input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] }).trim();
}

function program({ argv, env }: OwnProgram, path: string) {
  const [name = '', ...words] = argv;
  const ran = spawnSync(name, words, { cwd: join(root, path), env: { PATH: process.env['PATH'] ?? '', LANG: 'C.UTF-8', ...env }, timeout: 60_000 });
  const read = readGit({ exit: { code: ran.status ?? -1 }, deadline: false, stdout: ran.stdout, stderr: ran.stderr, dropped: { stdout: 0, stderr: 0 }, label: '', observed: { by: 'none' } });
  return read.ok ? null : read.error;
}

/** Null, or why it did not come in. */
function put(bundle: string, path = 'app'): string | null {
  const unpacked = run(['unpack', path, '--from', bundle, '--bundle', NAME]);
  expect(unpacked).toMatchObject({ status: 0, said: { bundle: true } });
  const why = program(cloneWork(path, NAME), path);
  expect(run(['delete', path === '.' ? NAME : `${path}/${NAME}`, '--recursive']).status).toBe(0);
  return why;
}

/** Null, or why it did not come out; then as out.bundle. */
function get(path = 'app'): string | null {
  const why = program(bundleWork(path, NAME), path);
  const lifted = why === null ? run(['lift', `${path}/${NAME}`, '--to', join(dir, 'out.bundle')]) : null;
  if (lifted !== null) expect(lifted).toMatchObject({ status: 0, said: { bytes: statSync(join(dir, 'out.bundle')).size } });
  run(['delete', `${path}/${NAME}`, '--recursive', '--keep-time']);
  return why;
}

/** A repository with two branches and a tag. */
function source(): string {
  const at = join(dir, 'source');
  mkdirSync(join(at, 'src'), { recursive: true });
  git(at, ['init', '-q', '-b', 'trunk']);
  writeFileSync(join(at, 'src/main.py'), 'print(1)\n');
  writeFileSync(join(at, 'run'), '#!/bin/sh\n', { mode: 0o755 });
  symlinkSync('src/main.py', join(at, 'link'));
  git(at, ['add', '.']);
  git(at, ['commit', '-qm', 'first']);
  git(at, ['tag', '-am', 'a tag', 'v1']);
  git(at, ['checkout', '-qb', 'another']);
  writeFileSync(join(at, 'more'), 'more\n');
  git(at, ['add', '.']);
  git(at, ['commit', '-qm', 'second']);
  git(at, ['checkout', '-q', 'trunk']);
  return at;
}

function bundleOf(at: string, ...words: readonly string[]): string {
  const bundle = join(dir, 'in.bundle');
  rmSync(bundle, { force: true });
  git(at, ['bundle', 'create', '-q', bundle, ...(words.length === 0 ? ['--all'] : words)]);
  return bundle;
}

/** A bundle of one commit of trees that nobody's work made: `entries` as git-mktree(1) takes them. */
function hostile(entries: (blob: (text: string) => string, tree: (lines: readonly string[]) => string) => readonly string[]): string {
  const at = join(dir, 'hostile');
  mkdirSync(at);
  git(at, ['init', '-q', '-b', 'main']);
  const tree = (lines: readonly string[]): string => git(at, ['mktree', '--missing'], `${lines.join('\n')}\n`);
  const made = tree(entries((text) => git(at, ['hash-object', '-w', '--stdin'], text), tree));
  git(at, ['update-ref', 'refs/heads/main', git(at, ['commit-tree', '-m', 'x', made])]);
  return bundleOf(at, 'HEAD', 'main');
}

const outside = (): string => `${readdirSync(join(dir, 'outside'), { recursive: true }).sort().join(' ')} ${readFileSync(join(dir, 'outside/secret'), 'utf8')}`;

describe('a bundle', () => {
  test.each(['2', '3'])('of version %s comes in, checked out, with all its refs, and goes out the same', (version) => {
    const at = source();
    const bundle = join(dir, 'in.bundle');
    git(at, ['bundle', 'create', '-q', `--version=${version}`, bundle, '--all']);
    expect(put(bundle, 'some/app')).toBeNull();
    const app = join(root, 'some/app');
    expect(readdirSync(app).sort()).toEqual(['.git', 'link', 'run', 'src']);
    expect(git(app, ['show-ref', '--head', '--dereference'])).toBe(git(at, ['show-ref', '--head', '--dereference']));
    expect([git(app, ['symbolic-ref', 'HEAD']), git(app, ['status', '--porcelain']), git(app, ['remote'])]).toEqual(['refs/heads/trunk', '', '']);
    expect([readlinkSync(join(app, 'link')), statSync(join(app, 'run')).mode & 0o111]).toEqual(['src/main.py', 0o111]);
    expect(existsSync(join(app, '.git/hooks'))).toBe(false);
    expect(git(app, ['fsck', '--strict'])).toBe('');

    const time = statSync(app).mtimeMs;
    expect(get('some/app')).toBeNull();
    // An undo would take it for a change.
    expect(statSync(app).mtimeMs).toBe(time);
    expect(git(at, ['bundle', 'verify', join(dir, 'out.bundle')])).toContain('records a complete history');
    expect(git(at, ['bundle', 'list-heads', join(dir, 'out.bundle')])).toBe(git(at, ['bundle', 'list-heads', bundle]));
    expect(readdirSync(app).sort()).toEqual(['.git', 'link', 'run', 'src']);
  });

  test('that does not say what was checked out gives its first branch, and one without a branch is refused', () => {
    const at = source();
    expect(put(bundleOf(at, 'trunk', 'another'), 'two')).toBeNull();
    expect([git(join(root, 'two'), ['symbolic-ref', 'HEAD']), existsSync(join(root, 'two/more'))]).toEqual(['refs/heads/another', true]);
    expect(put(bundleOf(at, 'v1'), 'none')).toContain('the bundle has no branch');
    git(at, ['checkout', '-q', 'v1']);
    expect(put(bundleOf(at), 'detached')).toBeNull();
    expect(git(join(root, 'detached'), ['rev-parse', 'HEAD'])).toBe(git(at, ['rev-parse', 'HEAD']));
  });

  test('that needs commits that are not in it, or is damaged, is refused in git\'s words', () => {
    const at = source();
    expect(put(bundleOf(at, 'trunk..another'), 'part')).toMatch(/^git ended with exit code 128: .*prerequisite/);
    const whole = readFileSync(bundleOf(at));
    for (const [path, bytes] of [['short', whole.subarray(0, whole.length - 60)], ['head', whole.subarray(0, 30)], ['flipped', Buffer.from(whole).fill(1, whole.length - 80, whole.length - 40)]] as const) {
      writeFileSync(join(dir, 'bad.bundle'), bytes);
      expect(put(join(dir, 'bad.bundle'), path), path).toMatch(/^git ended with exit code \d+: /);
    }
  });

  test('goes into an empty folder only, through no link, and is only told where it has no name', () => {
    const bundle = bundleOf(source());
    const was = outside();
    const unpack = (path: string, ...more: readonly string[]) => run(['unpack', path, '--from', bundle, ...more]);
    expect(unpack('new')).toMatchObject({ status: 0, said: { bundle: true, files: 0 } });
    expect(readdirSync(root)).toEqual([]);
    expect(put(bundle, '.')).toBeNull();
    expect(existsSync(join(root, '.git/HEAD'))).toBe(true);
    expect(unpack('.', '--bundle', NAME)).toMatchObject({ status: 1, said: { errno: 'ENOTEMPTY', what: expect.stringContaining('a new or an empty folder') as string } });
    symlinkSync('../outside', join(root, 'to'));
    expect(unpack('to', '--bundle', NAME)).toMatchObject({ status: 1, said: { errno: 'ELOOP' } });
    expect(unpack('big', '--bundle', NAME, '--most-bytes', '100')).toMatchObject({ status: 1, said: { errno: 'EFBIG' } });
    expect(readdirSync(join(root, 'big'))).toEqual([]);
    for (const name of ['../up', 'a/b', '.', '..', '']) expect(unpack('new', '--bundle', name).status, name).toBe(2);
    // An image is a tar archive.
    expect(unpack('c-1', '--image')).toMatchObject({ status: 1, said: { errno: 'EBADMSG' } });
    expect(outside()).toBe(was);
  });
});

describe('what a hostile bundle holds', () => {
  test.each([
    ['.git/config', 'config', '.git'],
    ['.GIT/hooks', 'post-checkout', '.GIT'],
    ['a folder above', 'up', '..'],
  ])('%s is not checked out', (_, name, folder) => {
    const was = outside();
    const why = put(hostile((blob, tree) => [`040000 tree ${tree([`100755 blob ${blob(`#!/bin/sh\ntouch ${mark}\n`)}\t${name}`])}\t${folder}`]));
    expect(why).toContain('invalid path');
    expect(existsSync(join(root, 'app/.git', name))).toBe(name === 'config');
    expect(readFileSync(join(root, 'app/.git/config'), 'utf8')).not.toContain(mark);
    expect([existsSync(mark), existsSync(join(root, 'up')), outside()]).toEqual([false, false, was]);
  });

  test('a link that leads out stays a link, and nothing is written or read through it', () => {
    const was = outside();
    // Two of one name: whatever git makes of that, it is within.
    put(hostile((blob, tree) => [`120000 blob ${blob('../../outside')}\tto`, `040000 tree ${tree([`100644 blob ${blob('mine')}\tsecret`])}\tto`]));
    expect(outside()).toBe(was);
    rmSync(join(root, 'app'), { recursive: true });
    rmSync(join(dir, 'hostile'), { recursive: true });
    expect(put(hostile((blob) => [`120000 blob ${blob('../../outside')}\tto`, `120000 blob ${blob('/etc/passwd')}\twho`]))).toBeNull();
    expect([readlinkSync(join(root, 'app/to')), lstatSync(join(root, 'app/who')).isSymbolicLink()]).toEqual(['../../outside', true]);
    expect(get()).toBeNull();
    expect(readFileSync(join(dir, 'out.bundle')).includes('root:x:0')).toBe(false);
    expect(outside()).toBe(was);
  });

  test('submodules are not fetched, and attributes name no command', () => {
    const modules = `[submodule "m"]\n\tpath = m\n\turl = ext::touch ${mark}\n\tupdate = !touch ${mark}\n`;
    expect(put(hostile((blob) => [
      `100644 blob ${blob(`* filter=evil diff=evil merge=evil text eol=crlf\n[attr]x !x\n`)}\t.gitattributes`,
      `100644 blob ${blob(modules)}\t.gitmodules`, `100644 blob ${blob('one\n')}\tf`, `160000 commit ${'1'.repeat(40)}\tm`,
    ]))).toBeNull();
    expect(readFileSync(join(root, 'app/f'), 'utf8')).toBe('one\r\n');
    expect(readdirSync(join(root, 'app/m'))).toEqual([]);
    expect([existsSync(mark), existsSync(join(root, 'app/.git/modules'))]).toEqual([false, false]);
  });
});

describe('a repository that an agent made', () => {
  /** Whatever git would run of its own configuration, each of it a touch of the mark. */
  function planted(): string {
    const app = join(root, 'app');
    expect(put(bundleOf(source()))).toBeNull();
    const script = join(dir, 'evil');
    writeFileSync(script, `#!/bin/sh\ntouch ${mark}\nexit 1\n`, { mode: 0o755 });
    mkdirSync(join(app, '.git/hooks'));
    for (const hook of ['pre-auto-gc', 'reference-transaction', 'post-index-change', 'fsmonitor-watchman']) writeFileSync(join(app, '.git/hooks', hook), `#!/bin/sh\ntouch ${mark}\n`, { mode: 0o755 });
    const settings = {
      'core.fsmonitor': script, 'core.hooksPath': join(app, '.git/hooks'), 'core.pager': script, 'core.sshCommand': script, 'core.gitProxy': script, 'core.alternateRefsCommand': script,
      'core.editor': script, 'alias.bundle': `!${script}`, 'gc.auto': '1', 'diff.external': script, 'uploadpack.packObjectsHook': script, 'log.showSignature': 'true', 'gpg.program': script,
      'protocol.allow': 'always', 'protocol.ext.allow': 'always', 'protocol.file.allow': 'always', 'include.path': join(dir, 'evil.config'), 'credential.helper': `!${script}`,
    };
    for (const [name, value] of Object.entries(settings)) git(app, ['config', name, value]);
    writeFileSync(join(dir, 'evil.config'), `[core]\n\tfsmonitor = ${script}\n`);
    return app;
  }

  test('has none of its commands run', () => {
    const app = planted();
    // The control: git itself would, by a monitor and by a hook; in the environment of ours the same commands run neither.
    for (const words of [['status'], ['update-ref', 'refs/heads/new', 'HEAD']]) {
      git(app, words);
      expect(existsSync(mark), words[0]).toBe(true);
      git(app, ['update-ref', '-d', 'refs/heads/new']);
      rmSync(mark);
      expect(spawnSync('git', words, { cwd: app, env: { PATH: process.env['PATH'], ...bundleWork('app', NAME).env } }).status).toBe(0);
      expect(existsSync(mark), words[0]).toBe(false);
    }
    expect(get()).toBeNull();
    expect(existsSync(mark)).toBe(false);
  });

  test.each([['a remote of this machine', (script: string) => [dir, script]], ['ext::', (script: string) => [`ext::${script}`, 'git-upload-pack']]])('and lacks an object: %s is not asked for it', (_, remote) => {
    const app = planted();
    const [url = '', uploadpack = ''] = remote(join(dir, 'evil'));
    for (const [name, value] of Object.entries({ 'core.repositoryFormatVersion': '1', 'extensions.partialClone': 'far', 'remote.far.url': url, 'remote.far.promisor': 'true', 'remote.far.uploadpack': uploadpack })) {
      git(app, ['config', name, value]);
    }
    const blob = git(app, ['rev-parse', 'HEAD:src/main.py']);
    // Out of its pack, and away.
    const pack = readdirSync(join(app, '.git/objects/pack')).find((name) => name.endsWith('.pack'))!;
    const bytes = readFileSync(join(app, '.git/objects/pack', pack));
    rmSync(join(app, '.git/objects/pack'), { recursive: true });
    git(app, ['unpack-objects', '-q'], bytes);
    rmSync(join(app, '.git/objects', blob.slice(0, 2), blob.slice(2)));
    rmSync(mark, { force: true });
    expect(spawnSync('git', ['cat-file', '-p', blob], { cwd: app }).status).not.toBe(0);
    expect(existsSync(mark)).toBe(true);
    rmSync(mark);
    expect(get()).toMatch(/^git ended with /);
    expect(existsSync(mark)).toBe(false);
  });

  test('and that is none is refused, as is what is no bundle when it is to go out', () => {
    mkdirSync(join(root, 'plain'));
    expect(get('plain')).toContain('not a git repository');
    writeFileSync(join(root, 'plain/f'), '# v2 git bundl');
    expect(run(['lift', 'plain/f', '--to', join(dir, 'no')])).toMatchObject({ status: 1, said: { errno: 'EBADMSG' } });
    spawnSync('mkfifo', [join(root, 'plain/pipe')]);
    expect(run(['lift', 'plain/pipe', '--to', join(dir, 'no')]).status).toBe(1);
    symlinkSync('../../outside/secret', join(root, 'plain/link'));
    expect(run(['lift', 'plain/link', '--to', join(dir, 'no')])).toMatchObject({ status: 1, said: { errno: 'ELOOP' } });
    writeFileSync(join(root, 'plain/b'), '# v2 git bundle\n and more');
    expect(run(['lift', 'plain/b', '--to', join(dir, 'no'), '--most-bytes', '20'])).toMatchObject({ status: 1, said: { errno: 'EFBIG' } });
    writeFileSync(join(dir, 'there'), 'x');
    expect(run(['lift', 'plain/b', '--to', join(dir, 'there')])).toMatchObject({ status: 1, said: { errno: 'EEXIST' } });
    expect(readFileSync(join(dir, 'there'), 'utf8')).toBe('x');
  });
});
