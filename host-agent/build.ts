// SPDX-License-Identifier: Apache-2.0
// Builds the host agent into build/root, laid out as /: one single-executable binary, its addons, the native programs.
// Two clean builds give the same bytes (R105). Run with the pinned Node: the binary carries the Node that runs this.
import { build, type Plugin } from 'esbuild';
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { repository, runInTools } from '../image/host/workplace.ts';

const out = join(repository, 'build');
const work = join(out, 'work');
const programs = join(out, 'root/usr/lib/holdfast');
const ROLES = ['holdfastd', 'holdfast-ledger', 'holdfast-runner', 'holdfast-declare', 'holdfast-seed', 'holdfast-shell'];

/** Installed addon file name → where it was built. Our own is opened by effects/addon.ts, the packages' by the bundle. */
const addons = new Map<string, string>([['hostsys.node', join(out, 'native/hostsys.node')]]);

// Addons lie beside the binary, under verity, and are opened by absolute path: never unpacked to a temporary file,
// never found through an environment variable.
const addonsBesideBinary: Plugin = {
  name: 'addons-beside-binary',
  setup(b) {
    b.onResolve({ filter: /\.node$/ }, (args) => {
      const source = resolve(args.resolveDir, args.path);
      if (!existsSync(source)) return { errors: [{ text: `addon not built: ${source}` }] };
      const name = installedName(source);
      if (addons.has(name) && addons.get(name) !== source) return { errors: [{ text: `two addons named ${name}` }] };
      addons.set(name, source);
      return { path: name, namespace: 'addon' };
    });
    b.onLoad({ filter: /.*/, namespace: 'addon' }, (args) => ({
      loader: 'js',
      contents: `
        const { dirname, join } = require('node:path'), { constants } = require('node:os');
        const m = { exports: {} };
        process.dlopen(m, join(dirname(process.execPath), '../lib', ${JSON.stringify(args.path)}), constants.dlopen.RTLD_NOW);
        module.exports = m.exports;`,
    }));
    // Optional parts of packages that are not in the image: absent, and said so if anything ever asks.
    b.onResolve({ filter: /^(usocket|x11|abstract-socket|pino-pretty|bufferutil|utf-8-validate|@cfworker\/json-schema)$/ }, (args) => ({
      path: args.path,
      namespace: 'absent',
    }));
    b.onLoad({ filter: /.*/, namespace: 'absent' }, (args) => ({
      loader: 'js',
      contents: `throw Object.assign(new Error(${JSON.stringify(`absent by design: ${args.path}`)}), { code: 'MODULE_NOT_FOUND' });`,
    }));
  },
};

function installedName(source: string): string {
  const inPackage = source.split('/node_modules/').pop()!;
  if (inPackage === source) return basename(source);
  const parts = inPackage.split('/');
  return `${parts.slice(0, inPackage.startsWith('@') ? 2 : 1).join('-').replace('@', '')}.node`;
}

// Nothing of the builder's umask reaches the image.
process.umask(0o022);
rmSync(join(out, 'root'), { recursive: true, force: true });
rmSync(work, { recursive: true, force: true });
for (const dir of [join(programs, 'bin'), join(programs, 'lib'), join(out, 'root/usr/bin'), work]) mkdirSync(dir, { recursive: true });

// C is compiled and binaries are stripped by the tools tree's trixie toolchain, so the building machine's does not matter.
await runInTools([repository], [join(repository, 'host-agent/native/build.sh'), join(out, 'native')], { cwd: repository });

await build({
  entryPoints: [join(repository, 'host-agent/src/main.ts')],
  outfile: join(work, 'main.cjs'),
  absWorkingDir: repository,
  bundle: true,
  platform: 'node',
  target: 'node26',
  format: 'cjs',
  mainFields: ['module', 'main'],
  minifySyntax: true,
  sourcemap: 'external',
  sourcesContent: false,
  legalComments: 'external',
  logLevel: 'warning',
  define: { 'import.meta.url': '__metaUrl', 'import.meta.dirname': '__dirname' },
  banner: { js: "const __metaUrl = require('node:url').pathToFileURL(__filename).href;" },
  alias: { 'better-sqlite3': 'better-sqlite3/linux-x64' },
  plugins: [addonsBesideBinary],
});

const node = join(work, 'node');
copyFileSync(process.execPath, node);
chmodSync(node, 0o755);
for (const [name, source] of addons) {
  copyFileSync(source, join(programs, 'lib', name));
  chmodSync(join(programs, 'lib', name), 0o644);
}
// Before injection: a finished single executable that is stripped no longer starts.
await runInTools([repository], ['strip', '-s', node]);
await runInTools([repository], ['strip', '--strip-unneeded', ...[...addons.keys()].map((name) => join(programs, 'lib', name))]);
for (const program of ['call-enter', 'call-init', 'file-tool']) {
  copyFileSync(join(out, 'native', program), join(programs, program));
  chmodSync(join(programs, program), 0o755);
}

writeFileSync(
  join(work, 'sea.json'),
  JSON.stringify({
    main: 'main.cjs',
    mainFormat: 'commonjs',
    executable: 'node',
    output: 'holdfast',
    useCodeCache: true,
    useSnapshot: false,
    disableExperimentalSEAWarning: true,
    // Else NODE_OPTIONS runs code in the host agent, and SIGUSR1 opens an inspector in it.
    execArgvExtension: 'none',
    execArgv: ['--no-warnings', '--disable-sigusr1'],
  }),
);
execFileSync(node, ['--predictable', '--build-sea', 'sea.json'], {
  cwd: work,
  stdio: ['ignore', 'ignore', 'inherit'],
  env: { PATH: process.env['PATH'] },
});
copyFileSync(join(work, 'holdfast'), join(programs, 'bin/holdfast'));
chmodSync(join(programs, 'bin/holdfast'), 0o755);
for (const role of ROLES) symlinkSync('holdfast', join(programs, 'bin', role));
symlinkSync('../lib/holdfast/bin/holdfast', join(out, 'root/usr/bin/holdfast'));

const size = readFileSync(join(programs, 'bin/holdfast')).length;
console.log(`host agent: ${Math.round(size / 1e6)} MB, addons ${[...addons.keys()].join(' ')}, in ${dirname(programs)}`);
