// SPDX-License-Identifier: Apache-2.0
// What an agent's programs run with: the tool root, and none of the appliance's own programs.
import { beforeAll, describe, expect, it } from 'vitest';
import { callTools, type ToolAnswer } from './door.ts';
import { declare, root } from './machine.ts';
import { stdout } from './probe.ts';

const TOOLROOT = '/usr/lib/holdfast/toolroot';

async function run(program: string, ...args: string[]): Promise<ToolAnswer> {
  return (await callTools('worker', [{ tool: 'process.run', args: { program, args } }]))[0]!;
}

beforeAll(() => {
  declare('name: worker\ntype: dev\n');
  root('rm -rf /var/lib/holdfast-workspaces/worker/{npm,tree}; true');
});

describe('the tool root', () => {
  it('has the tools, each of which starts in a call of type dev', async () => {
    const versions = ['bash', 'git', 'curl', 'python3', 'node', 'npm', 'make', 'jq', 'patch', 'gawk', 'file', 'zstd'].map((tool) => `${tool} --version >/dev/null || echo no ${tool}`);
    const answer = await run('sh', '-c', `${versions.join('; ')}; node -p process.versions.node; awk 'BEGIN { print "awk" }'; id -un; python3 -c 'import ssl, sqlite3, venv; print("py")'`);
    expect(stdout(answer)).toBe(`${process.versions.node}\nawk\nhf-agent${root('id -u agent-worker').trim().slice(-2)}\npy\n`);
  });

  it('is the /usr of the call, and the appliance\'s own is not there', async () => {
    expect(root('for f in systemctl sshd podman crun; do type -P $f; done | wc -l')).toBe('4\n');
    const answer = await run('sh', '-c', 'for f in systemctl sshd podman crun apt dpkg; do type $f; done; ls -A /usr/lib/holdfast /lib/systemd; stat -c %i /usr/bin/git');
    expect(stdout(answer)).toBe(root(`for f in systemctl sshd podman crun apt dpkg; do echo $f: not found; done; stat -c %i ${TOOLROOT}/usr/bin/git`));
  });

  it('has no file that raises rights, nothing that anybody else may write, and lies on the root under verity', () => {
    expect(root(`find ${TOOLROOT} -xdev \\( -perm /6000 -o -perm -002 ! -type l ! -perm -1000 \\) -print; getfattr -Rhm - ${TOOLROOT} 2>/dev/null | head`)).toBe('');
    expect(root(`findmnt -no SOURCE,FSTYPE -T ${TOOLROOT}`)).toBe('/dev/mapper/root erofs\n');
  });

  it('npm ci installs a project of local packages, in a call without a network (R40)', async () => {
    const script = `set -e
      mkdir -p dep app && cd dep
      echo '{"name":"dep","version":"1.0.0","main":"i.js"}' >package.json; echo 'module.exports = "from dep"' >i.js
      npm pack --silent --pack-destination ..
      cd ../app
      echo '{"name":"app","version":"1.0.0","dependencies":{"dep":"file:../dep-1.0.0.tgz"}}' >package.json
      npm install --silent --no-audit --no-fund --offline; rm -rf node_modules
      npm ci --silent --no-audit --no-fund --offline
      node -p 'require("dep")'; ls ../.npm >/dev/null 2>&1 || ls ~/.npm >/dev/null`;
    root('mkdir -p /var/lib/holdfast-workspaces/worker/npm && chown --reference /var/lib/holdfast-workspaces/worker /var/lib/holdfast-workspaces/worker/npm');
    const answer = (await callTools('worker', [{ tool: 'process.run', args: { program: 'sh', args: ['-c', script], cwd: '/workspace/npm' } }]))[0]!;
    expect(answer, answer.text).toMatchObject({ isError: false });
    expect(stdout(answer)).toMatch(/from dep\n$/);
  });
});
