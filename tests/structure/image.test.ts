// SPDX-License-Identifier: Apache-2.0
// The repository agrees with itself about what the image contains.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { profilesOf } from '../../host-agent/src/config/agent-type.ts';
import type { DeclaredAgent } from '../../host-agent/src/config/declared.ts';
import { SLOT_COUNT, userOfSlot } from '../../host-agent/src/config/slots.ts';
import { unitsOf } from '../../host-agent/src/config/units.ts';
import { etcDirectories } from '../../host-agent/src/effects/etc-directories.ts';
import { pathsUnder } from '../../host-agent/src/effects/paths.ts';
import { parseOperatorName } from '../../host-agent/src/identity/ids.ts';
import { imageOf } from '../../host-agent/src/sandbox/own-plan.ts';
import { repository } from '../../image/host/workplace.ts';

const read = (path: string) => readFileSync(join(repository, path), 'utf8');
const filesBelow = (path: string) =>
  readdirSync(join(repository, path), { recursive: true, encoding: 'utf8' }).filter((f) => statSync(join(repository, path, f)).isFile());

const units = filesBelow('systemd/system');
const settings = (unit: string, key: string) => [...read(`systemd/system/${unit}`).matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map((m) => m[1]!);

describe('what is copied into the image', () => {
  it('has no path in two trees', () => {
    const targets = [
      ...filesBelow('rootfs-overlay').map((f) => `/${f}`),
      ...filesBelow('systemd').map((f) => `/usr/lib/systemd/${f}`),
      ...filesBelow('apparmor.d').map((f) => `/etc/apparmor.d/${f}`),
    ];
    expect(targets.filter((t, i) => targets.indexOf(t) !== i)).toEqual([]);
  });

  it('holds no test, no page and no key in a mapped folder', () => {
    const stray = ['rootfs-overlay', 'systemd', 'apparmor.d'].flatMap(filesBelow).filter((f) => /\.(md|test\.ts|pub|pem|key)$|README|authorized_keys/.test(f));
    expect(stray).toEqual([]);
  });
});

/** The user of an agent's units until their drop-in names one: nobody may have this name. */
const UNDECLARED = 'hf-undeclared';

describe('units', () => {
  const profiles = filesBelow('apparmor.d').filter((f) => !f.includes('/'));

  it('name profiles that exist, and each profile is named like its file', () => {
    const named = units.flatMap((u) => settings(u, 'AppArmorProfile'));
    expect(named.length).toBeGreaterThan(3);
    for (const name of named) expect(profiles).toContain(name);
    for (const file of profiles) expect(read(`apparmor.d/${file}`)).toMatch(new RegExp(`^profile ${file} `, 'm'));
  });

  it('every service of ours has a profile, no new privileges and a user or a reason to be root', () => {
    const rootByDesign = ['holdfast-declare.service', 'holdfast-firewall.service', 'holdfast-quota@.service', 'holdfast-resolvers.service', 'holdfast-secret-keep.service', 'holdfast-secret-key.service', 'holdfast-secret-load.service', 'holdfast-secret-seal.service', 'holdfast-seed.service', 'holdfast-sources.service', 'holdfast-ssh-hostkey.service'];
    // user and profile of these come from the drop-in of each agent
    const perAgent = ['holdfast-agent@.service', 'holdfast-containers@.service', 'holdfast-runner@.service'];
    for (const unit of units.filter((u) => /^holdfast[^/]*\.service$/.test(u))) {
      if (['holdfast-ssh-hostkey.service', 'holdfast-coldplug.service', 'holdfast-folders.service'].includes(unit)) continue; // run Debian's programs
      expect(settings(unit, 'NoNewPrivileges'), unit).toEqual(['yes']);
      if (perAgent.includes(unit)) {
        expect(settings(unit, 'User'), unit).toEqual([UNDECLARED]);
        continue;
      }
      expect(settings(unit, 'AppArmorProfile'), unit).toHaveLength(1);
      if (!rootByDesign.includes(unit)) expect(settings(unit, 'User'), unit).toHaveLength(1);
    }
  });

  it('are enabled by the preset exactly when they can be', () => {
    const preset = [...read('systemd/system-preset/00-holdfast.preset').matchAll(/^enable (\S+)$/gm)].map((m) => m[1]!);
    const ours = units.filter((u) => !u.includes('/') && settings(u, 'WantedBy').length > 0).sort();
    for (const unit of ours) expect(preset).toContain(unit);
    expect(preset.filter((u) => u.startsWith('holdfast')).sort()).toEqual(ours.filter((u) => u.startsWith('holdfast')));
    expect(read('systemd/system-preset/00-holdfast.preset').trimEnd().split('\n').at(-1)).toBe('disable *');
  });

  it('leave no device out: what is not met first comes later', () => {
    const matched = (unit: string, option: string) => [...read(`systemd/system/${unit}`).matchAll(new RegExp(`--subsystem-${option}=(\\S+)`, 'g'))].map((m) => m[1]!);
    // Of PCI only a part comes first, so all of it comes again.
    const first = matched('systemd-udev-trigger.service.d/10-holdfast.conf', 'match').filter((subsystem) => subsystem !== 'pci');
    expect(first).toContain('block');
    expect(matched('holdfast-coldplug.service', 'nomatch')).toEqual(first);
  });

  it('run as users that sysusers makes', () => {
    const users = [...read('rootfs-overlay/usr/lib/sysusers.d/holdfast.conf').matchAll(/^[ug] (\S+) /gm)].map((m) => m[1]!);
    const named = units.flatMap((u) => [...settings(u, 'User'), ...settings(u, 'SocketGroup')]).filter((user) => user !== UNDECLARED);
    for (const user of named) expect(users).toContain(user);
    // Users come from here and from the seed, and the seed cannot name this one.
    expect(users).not.toContain(UNDECLARED);
    expect([parseOperatorName(UNDECLARED).ok, parseOperatorName('undeclared').ok]).toEqual([false, true]);
    expect(Array.from({ length: SLOT_COUNT }, (_, slot) => userOfSlot(slot))).not.toContain(UNDECLARED);
  });

  it('of an agent start nothing without the drop-in of holdfast-declare, which says as whom and under which profile', () => {
    const agent = { name: 'demo', pack: 'main', uid: 30_100, workspace: '/w', ceiling: { allow: [], deny: [] }, program: ['/usr/bin/x'], home: null, profile: 'holdfast-agent-task', containerLabel: 'x', net: { rules: [], quota: { bytesPerDay: 0, requestsPerDay: 0 } }, secrets: [] } as unknown as DeclaredAgent;
    const profiles = profilesOf('task');
    const files = unitsOf({ agent, slice: { memoryMax: 1, tasksMax: 1, cpuPercent: 1, ioMax: 1, diskMax: 1 }, profiles, groups: [], door: '/d', own: [], images: '/i', trust: '/t' });
    for (const role of ['agent', 'containers', 'runner'] as const) {
      const template = `holdfast-${role}@.service`;
      const [asserted = '', ...more] = settings(template, 'AssertPathExists');
      expect(more).toEqual([]);
      const file = files.find(({ path }) => asserted.replace('%n', `holdfast-${role}@demo.service`) === `${pathsUnder('').units}/${path}`);
      for (const line of [`User=${userOfSlot(0)}`, `Group=${userOfSlot(0)}`, `AppArmorProfile=${profiles[role]}`]) expect(file?.text.split('\n'), template).toContain(line);
      // It would take the assertion away: the whole list goes with an empty one.
      expect(file?.text).not.toMatch(/^Assert/m);
    }
    // The relay is the same for all but for its control group, by which holdfast-egress knows whose it is.
    for (const unit of ['service', 'socket']) {
      expect(settings(`holdfast-relay@.${unit}`, 'AssertPathExists').map((path) => path.replace('%n', 'holdfast-relay@demo.service').replace('%i', 'demo')), unit)
        .toEqual([`${pathsUnder('').units}/${files.find(({ path }) => path.startsWith('holdfast-relay@'))!.path}`]);
    }
  });
});

describe('directories of /etc that agents can be granted to change', () => {
  const directories = etcDirectories(join(repository, 'rootfs-overlay/usr/lib/holdfast/etc.d'));

  it.each(directories)('%s is in the image, is kept in /var, and is mounted without programs, devices and links', (path) => {
    const name = path.slice('/etc/'.length);
    expect(existsSync(join(repository, 'rootfs-overlay', path))).toBe(true);
    const unit = `${path.slice(1).replaceAll('/', '-')}.mount`;
    expect(settings(unit, 'Where')).toEqual([path]);
    expect(settings(unit, 'What')).toEqual([`/var/lib/holdfast-etc/${name}`]);
    expect(settings(unit, 'Options')[0]?.split(',').sort()).toEqual(['bind', 'nodev', 'noexec', 'nosuid', 'nosymfollow']);
    expect(read('systemd/system-preset/00-holdfast.preset')).toContain(`enable ${unit}\n`);
    const folders = read('rootfs-overlay/usr/lib/tmpfiles.d/holdfast.conf');
    expect(folders).toContain(`C /var/lib/holdfast-etc/${name} - - - - ${imageOf(path)}\n`);
    expect(folders).toContain(`z /var/lib/holdfast-etc/${name} 2775 root hf-etc\n`);
  });

  it('are all that any type can be granted to write there', () => {
    const types = filesBelow('rootfs-overlay/usr/lib/holdfast/types').map((file) => read(`rootfs-overlay/usr/lib/holdfast/types/${file}`));
    const written = types.flatMap((text) => [...text.matchAll(/^ +- fs:(?:write|delete):(\/etc\S*)$/gm)].map((m) => m[1]!));
    expect(written.length).toBeGreaterThan(0);
    for (const pattern of written) expect(directories.map((path) => `${path}/**`)).toContain(pattern);
  });
});

describe('what holdfastd remembers within a boot', () => {
  it('outlives its unit: the folder is made by tmpfiles, and systemd, which would remove it at each stop, knows nothing of it', () => {
    const { daemonRuntime } = pathsUnder('');
    expect(read('rootfs-overlay/usr/lib/tmpfiles.d/holdfast.conf')).toContain(`\nd ${daemonRuntime} 0700 holdfast holdfast\n`);
    expect(settings('holdfastd.service', 'RuntimeDirectory')).toEqual([]);
    expect(settings('holdfastd.service', 'ReadWritePaths').join(' ').split(' ')).toContain(daemonRuntime);
    expect(read('apparmor.d/holdfastd')).toContain(`\n  ${daemonRuntime}/* rw,\n`);
  });
});

describe('settings of the machine', () => {
  it('that an operator gives are holdfastd’s to write, survive a boot, and are read by holdfast-declare when they change', () => {
    const folder = dirname(pathsUnder('').operatorSettings);
    expect(read('rootfs-overlay/usr/lib/tmpfiles.d/holdfast.conf')).toContain(`\nd ${folder} 0755 holdfast holdfast\n`);
    expect(settings('holdfastd.service', 'ReadWritePaths').join(' ').split(' ')).toContain(folder);
    expect(settings('holdfast-declare.path', 'PathChanged')).toContain(folder);
    expect(existsSync(join(repository, 'rootfs-overlay', pathsUnder('').imageSettings))).toBe(true);
  });

  it('come to who follows them by files that their profiles allow', () => {
    const { declaredSettings, egressSettings, secretSettings } = pathsUnder('');
    expect(declaredSettings).toBe('/run/holdfast/declared/settings.json');
    expect(read('apparmor.d/holdfast-egress')).toContain('\n  /run/holdfast/declared/{agents,settings}.json r,\n');
    for (const profile of ['holdfastd', 'holdfast-secretd']) expect(read(`apparmor.d/${profile}`)).toContain('\n  /run/holdfast/declared/*.json r,\n');
    expect(read('apparmor.d/holdfastd')).toContain(`\n  ${egressSettings} r,\n`);
    expect(read('apparmor.d/holdfastd')).toContain(`\n  ${secretSettings.replace('settings', '{bindings,settings}')} r,\n`);
  });
});

describe('what holdfastd foresees of an agent file', () => {
  const { agentLayers, operatorAgentLayer, types } = pathsUnder('');
  const rules = (profile: string): readonly string[] => read(`apparmor.d/${profile}`).split('\n').map((line) => line.trim());

  it('is read from where holdfast-declare reads: its profile allows the types and every layer, to write only the operators’', () => {
    const reads = rules('holdfastd').filter((rule) => rule.endsWith(' r,')).map((rule) => rule.slice(0, -' r,'.length));
    for (const folder of [types, ...agentLayers.filter((layer) => layer !== operatorAgentLayer)]) {
      expect(reads.some((rule) => rule.endsWith('/{,**}') && `${folder}/`.startsWith(rule.slice(0, -'{,**}'.length))), folder).toBe(true);
    }
    expect(rules('holdfastd')).toEqual(expect.arrayContaining([`${operatorAgentLayer}/ r,`, `${operatorAgentLayer}/* rw,`]));
    // The steps on the way, as holdfast-declare's profile has them.
    for (const rule of ['/ r,', '@{PROC}/@{pid}/fd/{,*} r,', '/run/holdfast/ r,', '/var/lib/holdfast/ r,']) {
      expect([rules('holdfast-declare').includes(rule), rules('holdfastd').includes(rule)], rule).toEqual([true, true]);
    }
    expect(rules('holdfastd')).toContain('/{run,usr,usr/lib,var,var/lib}/ r,');
  });

  it('is not hidden from its unit', () => {
    for (const key of ['TemporaryFileSystem', 'InaccessiblePaths', 'RootDirectory', 'ProtectProc']) {
      expect(settings('holdfastd.service', key).filter((value) => value !== 'default'), key).toEqual([]);
    }
  });
});

describe('the repository', () => {
  it('has exactly the settled folders at its top', () => {
    const folders = readdirSync(repository, { withFileTypes: true })
      .filter((e) => e.isDirectory() && !['.git', 'node_modules', 'build'].includes(e.name))
      .map((e) => e.name);
    const settled = ['.ci', 'apparmor.d', 'bench', 'docs', 'host-agent', 'image', 'recipes', 'rootfs-overlay', 'seccomp', 'systemd', 'tests'];
    expect(folders.filter((f) => !settled.includes(f))).toEqual([]);
  });

  it('locks every package with its integrity and without an address', () => {
    const lock = JSON.parse(read('package-lock.json')) as { packages: Record<string, { integrity?: string; resolved?: string; link?: boolean; inBundle?: boolean }> };
    for (const [name, entry] of Object.entries(lock.packages)) {
      // What a package brings along is under that package's own digest.
      if (name === '' || entry.inBundle === true) continue;
      expect(entry.integrity, name).toBeDefined();
      expect(entry.resolved, name).toBeUndefined();
    }
  });

  it('says the kernel command line in one place', () => {
    expect(read('image/mkosi.conf')).not.toContain('KernelCommandLine');
    expect(existsSync(join(repository, 'image/kernel-command-line.txt'))).toBe(true);
  });
});
