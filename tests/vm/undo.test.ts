// SPDX-License-Identifier: Apache-2.0
// R108: what an agent did to its workspace can be seen and taken back, and the taking back too. Looked at from outside, as root.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDoor } from './door.ts';
import { denialsSince, journalMark, permissive, withProfiles } from './guards.ts';
import { as, asRoot, declare, head, holdfast, jsonLines, log, logSince, machine, revokeAll, root } from './machine.ts';

const WORKSPACE = '/var/lib/holdfast-workspaces/worker';
const POINTS = '/var/lib/holdfast-restore/worker';

/** Kinds, modes, times, sizes, targets and contents of all that lies in the project of this test. */
function picture(): string {
  return root(`cd ${WORKSPACE}/project && find . -printf '%y %m %T@ %l %p\\n' | sort && find . -type f -exec sha256sum {} + | sort`);
}

/** What must not change whatever is undone: the machine's own files and the other agents'. */
function canary(): string {
  return root("cd / && find etc usr/lib/holdfast var/lib/holdfast-workspaces/laptop var/lib/holdfast -printf '%y %m %T@ %s %p\\n' 2>/dev/null | sort | sha256sum");
}

type Outcome = { readonly done: boolean; readonly restored: number; readonly removed: number; readonly conflicts: number; readonly point: string | null };

function undone(words: string): Outcome {
  const [view] = jsonLines<Outcome>(`undo ${words}`);
  return view!;
}

beforeAll(() => {
  declare('name: worker\ntype: dev\n');
  declare('name: laptop\ntype: task\n');
  root(`rm -rf ${WORKSPACE}/project && mkdir -p ${WORKSPACE}/project/src && cd ${WORKSPACE}/project &&
    printf 'one\\ntwo\\nthree\\n' >src/a.txt && head -c 300000 /dev/urandom >big && printf secret >key && chmod 600 key && ln -s ../../../etc/shadow link &&
    ln src/a.txt src/twin && touch -d 2001-01-01 src/a.txt src && chown -hR --reference=${WORKSPACE} ${WORKSPACE}/project`);
});
afterAll(() => root(`rm -rf ${WORKSPACE}/project`));

describe('a session that edits a project', () => {
  let before: string;
  let outside: string;
  let changed: string;
  let from: number;

  it('has a restore point before each call that may write, named in its entry', async () => {
    before = picture();
    outside = canary();
    from = head();
    const door = await openDoor('worker');
    const answers = [
      await door.call('fs.write', { path: '/workspace/project/src/a.txt', text: 'one\nTWO\nthree\n' }),
      await door.call('process.run', { program: 'sh', args: ['-c', 'cd project && rm -r src/twin key link && chmod 644 big && echo more >>big && mkdir -p new/deep && echo x >new/deep/f && mv src other'] }),
      await door.call('fs.read', { path: '/workspace/project/other/a.txt' }),
    ];
    door.close();
    for (const answer of answers) expect(answer, answer.text).toMatchObject({ isError: false });
    changed = picture();
    expect(changed).not.toBe(before);
    const calls = logSince(from, '--agent worker').filter(({ kind }) => kind === 'call.intent');
    expect(calls.map(({ actor, data }) => `${actor.id} ${String(data['tool'])}`)).toEqual([
      'holdfastd restore.point', 'worker fs.write', 'holdfastd restore.point', 'worker process.run', 'worker fs.read',
    ]);
    expect(calls.map(({ data }) => (data['restore'] as string[]).length)).toEqual([0, 1, 0, 1, 0]);
    expect(holdfast('log --agent worker --limit 10').stdout).toContain('process.run (undoable)');
  });

  it('is shown by diff, escaped, of the session or of one call', () => {
    const all = holdfast('diff worker').stdout;
    expect(all).toMatch(/removed {2}\/workspace\/project\/src\/a\.txt/);
    expect(all).toMatch(/added {4}\/workspace\/project\/new\/deep\/f/);
    expect(all).toMatch(/changed {2}\/workspace\/project\/big \(file 0644, 300005 bytes|file 0644, 300000 bytes -> file 0644, 300005 bytes\)/);
    const write = logSince(from, '--agent worker --tool fs.write')[0]!.seq;
    const one = holdfast(`diff ${write}`).stdout;
    expect(one).toContain('- two');
    expect(one).toContain('+ TWO');
    expect(one).not.toContain('new/deep');
  });

  it('is foretold, taken back byte for byte, and the undo is undone', () => {
    const foretold = undone('worker --dry-run');
    expect(foretold).toMatchObject({ done: false, conflicts: 0, point: null });
    expect(picture()).toBe(changed);
    const done = undone('worker');
    expect(done).toMatchObject({ done: true, restored: foretold.restored, removed: foretold.removed, conflicts: 0 });
    expect(picture()).toBe(before);
    const entry = log('--tool restore.undo --limit 2').find(({ kind }) => kind === 'call.intent')!;
    expect(entry).toMatchObject({ actor: { type: 'user', id: 'alice' }, data: { agent: 'worker' } });
    expect(undone(String(entry.seq))).toMatchObject({ done: true });
    expect(picture()).toBe(changed);
    // By the point that was made before the first undo, and back once more.
    expect(undone('worker --force')).toMatchObject({ done: true });
    expect(picture()).toBe(before);
    expect(canary()).toBe(outside);
  });

  it('what was changed since is listed and left, unless it is forced', async () => {
    const door = await openDoor('worker');
    await door.call('fs.write', { path: '/workspace/project/key', text: 'first' });
    const entry = log('--agent worker --tool fs.write --limit 2')[0]!.seq;
    await door.call('fs.write', { path: '/workspace/project/key', text: 'second' });
    door.close();
    const refused = holdfast(`undo ${entry}`);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain('/workspace/project/key');
    expect(root(`cat ${WORKSPACE}/project/key`)).toBe('second');
    expect(holdfast(`undo ${entry} --force`).status).toBe(0);
    expect(root(`cat ${WORKSPACE}/project/key; stat -c %a ${WORKSPACE}/project/key`)).toBe('secret600\n');
  });

  it('what cannot be undone is said before', () => {
    const read = logSince(from, '--agent worker --tool fs.read')[0]!.seq;
    expect(holdfast(`undo ${read}`)).toMatchObject({ status: 1, stderr: expect.stringContaining('cannot be undone') });
    expect(holdfast('undo p-0000 --agent worker')).toMatchObject({ status: 1, stderr: expect.stringContaining('is there no more') });
    expect(holdfast('undo s-0000')).toMatchObject({ status: 1 });
  });
});

describe('where restore points lie', () => {
  const tries = ['ls /restore', 'ls /var/lib/holdfast-restore', 'cat /restore/lock', 'mkdir /restore', `echo x >${POINTS}/lock`];

  it('no call of an agent sees or writes: it is not mounted there', async () => {
    const script = tries.map((line) => `${line} 2>&1 || true`).join('; ');
    const was = root(`find ${POINTS} -type f | wc -l`);
    const door = await openDoor('worker');
    const answer = await door.call('process.run', { program: 'sh', args: ['-c', script] });
    const file = await door.call('fs.read', { path: '/restore/lock' });
    door.close();
    expect(answer.text.match(/No such file or directory/g) ?? []).toHaveLength(3);
    expect(answer.text).toContain('nonexistent');
    expect(answer.text).toMatch(/mkdir.*Read-only file system/);
    expect(file.isError).toBe(true);
    expect(Number(root(`find ${POINTS} -type f | wc -l`))).toBeGreaterThanOrEqual(Number(was));
  });

  it('AppArmor forbids to what has got out of its mounts: EACCES, and with that profile off it could', async () => {
    const uid = root(`stat -c %u ${WORKSPACE}`).trim();
    const look = `setpriv --reuid=${uid} --regid=${uid} --clear-groups aa-exec -p holdfast-call-dev -- cat ${POINTS}/lock 2>&1; true`;
    const mark = journalMark();
    expect(root(look)).toContain('Permission denied');
    expect(denialsSince(mark)).toContainEqual(expect.objectContaining({ profile: 'holdfast-call-dev', name: `${POINTS}/lock` }));
    await withProfiles({ 'holdfast-call-dev': permissive('holdfast-call-dev') }, async () => {
      expect(root(look)).not.toContain('Permission denied');
    });
  });

  it('no other agent of the machine can go: the folder is its agent\'s own', () => {
    expect(root(`stat -c '%a %U' ${POINTS}`)).toMatch(/^700 hf-agent\d\d\n$/);
    const other = root('stat -c %u /var/lib/holdfast-workspaces/laptop').trim();
    expect(root(`setpriv --reuid=${other} --regid=${other} --clear-groups ls ${POINTS} 2>&1 || true`)).toContain('Permission denied');
  });
});

it('without a restore point nothing is begun, and the refusal says why', async () => {
  root(`chmod 0 ${POINTS}/points`);
  try {
    const door = await openDoor('worker');
    const answer = await door.call('fs.write', { path: '/workspace/project/never', text: 'x' });
    door.close();
    expect(answer).toMatchObject({ isError: true, data: { rule: 'restore.point' } });
    expect(root(`ls ${WORKSPACE}/project`)).not.toContain('never');
  } finally {
    root(`chmod 700 ${POINTS}/points`);
  }
});

describe('R109: a project', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'holdfast-put-'));
    mkdirSync(join(dir, 'app/.git/hooks'), { recursive: true });
    writeFileSync(join(dir, 'app/main.py'), 'print(1)\n');
    writeFileSync(join(dir, 'app/run'), '#!/bin/sh\n', { mode: 0o755 });
    // Whoever ran git here as an operator or a daemon would run this.
    writeFileSync(join(dir, 'app/.git/config'), '[core]\n\tfsmonitor = touch /tmp/obeyed\n');
    writeFileSync(join(dir, 'app/.git/hooks/post-checkout'), '#!/bin/sh\ntouch /tmp/obeyed\n', { mode: 0o755 });
    symlinkSync('main.py', join(dir, 'app/link'));
    symlinkSync('/etc/shadow', join(dir, 'app/trap'));
  });
  afterAll(() => {
    rmSync(dir, { recursive: true });
    root(`rm -rf ${WORKSPACE}/app`);
  });

  it('goes in and comes out byte for byte, in a sandbox, and can be taken back', () => {
    const archive = spawnSync('tar', ['-C', join(dir, 'app'), '-c', '.']).stdout;
    const put = as('alice', 'holdfast project put worker app', archive);
    expect(put.stderr).toContain('left out: trap (a link that leads out)');
    expect(put.status).toBe(0);
    expect(root(`stat -c '%U %a' ${WORKSPACE}/app/run`)).toMatch(/^hf-agent\d\d 755\n$/);
    expect(root(`readlink ${WORKSPACE}/app/link; ls /tmp/obeyed 2>&1 || true`)).toMatch(/^main\.py\n.*No such file/);
    const intent = log('--tool project.put --limit 2')[0]!;
    expect(intent).toMatchObject({ actor: { type: 'user', id: 'alice' }, data: { agent: 'worker', arguments: { path: '/workspace/app', size: archive.length } } });

    const got = as('alice', 'holdfast project get worker app');
    expect(got.status).toBe(0);
    mkdirSync(join(dir, 'back'));
    spawnSync('tar', ['-C', join(dir, 'back'), '-x'], { input: Buffer.from(got.stdout) });
    rmSync(join(dir, 'app/trap'));
    expect(spawnSync('diff', ['-r', '--no-dereference', join(dir, 'app'), join(dir, 'back')]).stdout.toString()).toBe('');
    expect(root('ls -A /var/lib/holdfast-transfer/worker')).toBe('');

    expect(holdfast(`diff ${intent.seq} --names`).stdout).toContain('added    /workspace/app/main.py');
    expect(holdfast(`undo ${intent.seq}`).status).toBe(0);
    expect(root(`ls -d ${WORKSPACE}/app 2>&1 || true`)).toContain('No such file');
  });

  it('that is no archive, or leads out, is refused with the reason', () => {
    expect(as('alice', 'holdfast project put worker app', 'not a tar archive'.repeat(100))).toMatchObject({ status: 1, stderr: expect.stringContaining('no tar archive') });
    expect(holdfast('project put worker ../laptop', 'alice', 'x').status).toBe(1);
    expect(holdfast('project get worker nothing').stderr).toContain('ENOENT');
  });
});

describe('R109: a bundle of git', () => {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-bundle-'));
  const source = join(dir, 'source');
  let bundle: Buffer;

  function git(cwd: string, ...words: readonly string[]): string {
    const env = { PATH: process.env['PATH'], HOME: dir, GIT_CONFIG_NOSYSTEM: '1', GIT_AUTHOR_NAME: 't', GIT_AUTHOR_EMAIL: 't@t', GIT_COMMITTER_NAME: 't', GIT_COMMITTER_EMAIL: 't@t' };
    return execFileSync('git', words, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
  }

  /** Its bytes are no text. */
  function got(words: string): { readonly status: number | null; readonly stderr: string; readonly bundle: string } {
    const ran = spawnSync('ssh', ['-F', machine().sshConfig, 'alice', `holdfast project get ${words} --bundle`]);
    writeFileSync(join(dir, 'out.bundle'), ran.stdout);
    return { status: ran.status, stderr: ran.stderr.toString(), bundle: join(dir, 'out.bundle') };
  }

  beforeAll(() => {
    mkdirSync(source);
    git(source, 'init', '-q', '-b', 'trunk');
    writeFileSync(join(source, 'main.py'), 'print(1)\n');
    writeFileSync(join(source, 'run'), '#!/bin/sh\n', { mode: 0o755 });
    symlinkSync('/etc/shadow', join(source, 'trap'));
    // Whoever obeyed these would leave a file behind.
    writeFileSync(join(source, '.gitattributes'), '*.py filter=evil diff=evil\n');
    writeFileSync(join(source, '.gitmodules'), '[submodule "sub"]\n\tpath = sub\n\turl = ext::touch /workspace/repo/obeyed\n');
    git(source, 'add', '.');
    git(source, 'update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},sub`);
    git(source, 'commit', '-qm', 'first');
    git(source, 'tag', '-am', 'a tag', 'v1');
    git(source, 'branch', 'other');
    git(source, 'commit', '-q', '--allow-empty', '-m', 'second');
    git(source, 'bundle', 'create', '-q', join(dir, 'in.bundle'), '--all');
    bundle = readFileSync(join(dir, 'in.bundle'));
    root(`rm -rf ${WORKSPACE}/repo`);
  });
  afterAll(() => {
    rmSync(dir, { recursive: true });
    root(`rm -rf ${WORKSPACE}/repo`);
  });

  it('comes in as a repository, checked out, goes out with the same commits, and can be taken back', () => {
    const from = head();
    // One whose client did not end it lies there for two minutes.
    const lying = root('ls -A /var/lib/holdfast-transfer/worker');
    const put = as('alice', 'holdfast project put worker repo', bundle);
    expect(put.status, put.stderr).toBe(0);
    expect(put.stdout).toContain('the repository of that bundle');
    expect(root(`cd ${WORKSPACE}/repo && ls -A && stat -c '%U %a' run .git/HEAD && readlink trap && ls -A sub && cat .git/HEAD`)).toMatch(
      /^\.git\n\.gitattributes\n\.gitmodules\nmain\.py\nrun\nsub\ntrap\nhf-agent\d\d 755\nhf-agent\d\d 644\n\/etc\/shadow\nref: refs\/heads\/trunk\n$/,
    );
    expect(root(`cat ${WORKSPACE}/repo/.git/config`)).not.toContain('remote');
    const intents = logSince(from, '--agent worker').filter(({ kind }) => kind === 'call.intent');
    expect(intents.map(({ actor, data }) => `${actor.id} ${String(data['tool'])} ${String(data['rule'])}`)).toEqual([
      'alice restore.point operator', 'alice project.put operator', 'alice project.clone operator', 'alice project.clear operator',
    ]);

    const out = got('worker repo');
    expect(out.status, out.stderr).toBe(0);
    expect(git(source, 'bundle', 'verify', out.bundle)).toContain('complete history');
    expect(git(source, 'bundle', 'list-heads', out.bundle)).toBe(git(source, 'bundle', 'list-heads', join(dir, 'in.bundle')));
    expect(lying).toContain(root('ls -A /var/lib/holdfast-transfer/worker'));
    expect(root(`cd ${WORKSPACE}/repo && find . -name '.holdfast*' -o -name obeyed`)).toBe('');

    const entry = intents.find(({ data }) => data['tool'] === 'project.put')!.seq;
    expect(holdfast(`diff ${entry} --names`).stdout).toContain('added    /workspace/repo/main.py');
    const undo = holdfast(`undo ${entry}`);
    expect(undo.status, undo.stderr).toBe(0);
    expect(root(`ls -d ${WORKSPACE}/repo 2>&1 || true`)).toContain('No such file');
  });

  it('of a repository whose configuration names programs runs none of them, as the agent\'s own git does', async () => {
    expect(as('alice', 'holdfast project put worker repo', bundle).status).toBe(0);
    const mark = `${WORKSPACE}/repo/obeyed`;
    root(`cat >>${WORKSPACE}/repo/.git/config`, '[core]\n\tfsmonitor = "touch /workspace/repo/obeyed; :"\n\talternateRefsCommand = touch /workspace/repo/obeyed\n\tpager = touch /workspace/repo/obeyed\n');
    const door = await openDoor('worker');
    const answer = await door.call('process.run', { program: 'git', args: ['-C', 'repo', 'status'] });
    door.close();
    expect(answer, answer.text).toMatchObject({ isError: false });
    root(`ls ${mark} && rm ${mark}`);
    const out = got('worker repo');
    expect(out.status, out.stderr).toBe(0);
    expect(root(`ls ${mark} 2>&1 || true`)).toContain('No such file');
    expect(git(source, 'bundle', 'list-heads', out.bundle)).toContain(git(source, 'rev-parse', 'trunk'));
  });

  it('is refused with the reason where something lies, where nothing is, and for agents without git', () => {
    const was = picture();
    expect(as('alice', 'holdfast project put worker project', bundle)).toMatchObject({ status: 1, stderr: expect.stringContaining('a new or an empty folder') });
    expect(picture()).toBe(was);
    expect(got('worker project')).toMatchObject({ status: 1, stderr: expect.stringContaining('not a git repository') });
    expect(got('worker nothing')).toMatchObject({ status: 1, stderr: expect.stringContaining('ENOENT') });
    declare('name: laptop\ntype: system\n');
    try {
      expect(as('alice', 'holdfast project put laptop repo', bundle)).toMatchObject({ status: 1, stderr: expect.stringContaining('agents of type system have no git; send a tar archive') });
      expect(got('laptop repo')).toMatchObject({ status: 1, stderr: expect.stringContaining('agents of type system have no git') });
      expect(root('ls -A /var/lib/holdfast-workspaces/laptop')).not.toContain('repo');
    } finally {
      declare('name: laptop\ntype: task\n');
    }
  });
});

describe('DESIGN 3: a directory of /etc', () => {
  beforeAll(() => {
    declare('name: worker\ntype: system\n');
    holdfast("grant worker 'fs:write:/etc/nginx/**' --for 10m --reason 'vm test'");
  });
  afterAll(() => {
    revokeAll('worker');
    declare('name: worker\ntype: dev\n');
    root('rm -rf /var/lib/holdfast-etc/nginx/conf.d/site.conf /var/lib/holdfast-etc/nginx/conf.d/evil');
  });

  it('is written by a call that was granted it, compared with the image, and brought back', async () => {
    expect(holdfast('etc list').stdout).toContain('/etc/nginx  worker');
    const before = root('cd /etc/nginx && find . -printf "%m %p\\n" | sort && cat nginx.conf');
    const from = head();
    const door = await openDoor('worker');
    const answers = [
      await door.call('fs.write', { path: '/etc/nginx/conf.d/site.conf', text: 'server { listen 80; }\n' }),
      await door.call('fs.write', { path: '/etc/nginx/nginx.conf', text: 'events {}\n' }),
      await door.call('fs.write', { path: '/etc/hostname', text: 'mine\n' }),
    ];
    door.close();
    expect(answers.map(({ isError }) => isError), answers.map(({ text }) => text).join('\n')).toEqual([false, false, true]);
    expect(root('cat /etc/nginx/nginx.conf')).toBe('events {}\n');
    const diff = holdfast('diff image /etc/nginx --agent worker').stdout;
    expect(diff).toContain('added    /etc/nginx/conf.d/site.conf');
    expect(diff).toMatch(/changed {2}\/etc\/nginx\/nginx\.conf/);
    const second = logSince(from, '--agent worker --tool fs.write').filter(({ kind }) => kind === 'call.intent')[1]!.seq;
    expect(holdfast(`undo ${second}`).status).toBe(0);
    expect(root('cat /etc/nginx/nginx.conf')).not.toBe('events {}\n');
    expect(holdfast('undo image /etc/nginx --agent worker').status).toBe(0);
    expect(root('cd /etc/nginx && find . -printf "%m %p\\n" | sort && cat nginx.conf')).toBe(before);
  });

  it('holds no program, no device and no link that leads anywhere: EACCES and ELOOP from its mount', () => {
    root('cp /usr/bin/true /etc/nginx/conf.d/evil && chmod 4755 /etc/nginx/conf.d/evil');
    expect(asRoot('/etc/nginx/conf.d/evil').stderr).toContain('Permission denied');
    root('ln -sfn /etc/shadow /etc/nginx/conf.d/site.conf');
    expect(asRoot('cat /etc/nginx/conf.d/site.conf').stderr).toContain('Too many levels of symbolic links');
    // With that mount's guard off, both would work.
    root('mount -o remount,bind,exec,symfollow /etc/nginx');
    try {
      expect(asRoot('/etc/nginx/conf.d/evil').status).toBe(0);
      expect(asRoot('cat /etc/nginx/conf.d/site.conf').stdout).toContain('root:');
    } finally {
      root('mount -o remount,bind,nosuid,nodev,noexec,nosymfollow /etc/nginx');
    }
    expect(asRoot('touch /etc/motd').stderr).toContain('Read-only file system');
  });
});
