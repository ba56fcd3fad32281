// SPDX-License-Identifier: Apache-2.0
// Builds the host agent into build/root, laid out as /: one single-executable binary, its addons, the native programs.
// Two clean builds give the same bytes (R105). Run with the pinned Node: the binary carries the Node that runs this.
import { build, type Plugin } from 'esbuild';
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { repository, runInTools } from '../image/host/workplace.ts';
import { writeForImage, writeHeader } from './seccomp/write-filters.ts';
import { writeTypeFiles } from './type-files.ts';

const out = join(repository, 'build');
const work = join(out, 'work');
const programs = join(out, 'root/usr/lib/holdfast');
/** What the tool root gets beside Debian's packages. */
const toolroot = join(out, 'toolroot/usr');
/** Services start once; each is a script of its own, so that the binary holds no more than the command line needs at its start. */
const SERVICES = ['holdfastd', 'holdfast-ledger', 'holdfast-runner', 'holdfast-declare', 'holdfast-seed', 'holdfast-watch', 'holdfast-secretd', 'holdfast-egress'];
const ROLES = [...SERVICES, 'holdfast-shell'];

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

/** In main.ts the import of a service becomes the opening of its script, which lies under verity with the addons. */
const servicesBesideBinary: Plugin = {
  name: 'services-beside-binary',
  setup(b) {
    b.onResolve({ filter: /^\.\/[a-z]+\.ts$/ }, ({ importer, path }) => {
      const role = SERVICES.find((name) => path === sourceOf(name));
      return importer.endsWith('/src/main.ts') && role !== undefined ? { path: role, namespace: 'service' } : undefined;
    });
    b.onLoad({ filter: /.*/, namespace: 'service' }, (args) => ({
      loader: 'js',
      contents: `
        const { readFileSync } = require('node:fs'), { dirname, join } = require('node:path'), { Script } = require('node:vm');
        const filename = join(dirname(process.execPath), '../lib', ${JSON.stringify(`${args.path}.cjs`)}), m = { exports: {} };
        let cachedData;
        try {
          cachedData = readFileSync(filename.replace('.cjs', '.cache'));
        } catch {} // only time is lost
        // With the binary's own require, which knows what is built into Node and no file.
        new Script(readFileSync(filename, 'latin1'), { filename, cachedData }).runInThisContext()(m.exports, require, m, filename, dirname(filename));
        module.exports = m.exports;`,
    }));
  },
};

function sourceOf(service: string): string {
  return `./${service === 'holdfastd' ? 'daemon' : service.replace('holdfast-', '')}.ts`;
}

function installedName(source: string): string {
  const inPackage = source.split('/node_modules/').pop()!;
  if (inPackage === source) return basename(source);
  const parts = inPackage.split('/');
  return `${parts.slice(0, inPackage.startsWith('@') ? 2 : 1).join('-').replace('@', '')}.node`;
}

// Nothing of the builder's umask reaches the image.
process.umask(0o022);
rmSync(join(out, 'root'), { recursive: true, force: true });
rmSync(join(out, 'toolroot'), { recursive: true, force: true });
rmSync(work, { recursive: true, force: true });
for (const dir of [join(toolroot, 'bin'), join(toolroot, 'lib/holdfast'), join(toolroot, 'lib/node_modules'), join(programs, 'bin'), join(programs, 'lib'), join(out, 'root/usr/bin'), work]) mkdirSync(dir, { recursive: true });

writeTypeFiles(join(out, 'root'));

// C is compiled and binaries are stripped by the tools tree's trixie toolchain, so the building machine's does not matter.
writeHeader(join(out, 'native'));
await runInTools([repository], [join(repository, 'host-agent/native/build.sh'), join(out, 'native')], { cwd: repository });

async function bundle(entry: string, outfile: string, plugins: Plugin[]): Promise<void> {
  await build({
    entryPoints: [join(repository, 'host-agent/src', entry)],
    outfile,
    absWorkingDir: repository,
    bundle: true,
    platform: 'node',
    target: 'node26',
    format: 'cjs',
    mainFields: ['module', 'main'],
    minifySyntax: true,
    // Less to read at each start; in ASCII, V8 keeps a script as the bytes it is. Names stay, for traces.
    minifyWhitespace: true,
    charset: 'ascii',
    sourcemap: 'external',
    sourcesContent: false,
    legalComments: 'external',
    logLevel: 'warning',
    define: { 'import.meta.url': '__metaUrl', 'import.meta.dirname': '__dirname' },
    banner: { js: "const __metaUrl = require('node:url').pathToFileURL(__filename).href;" },
    alias: { 'better-sqlite3': 'better-sqlite3/linux-x64' },
    plugins,
  });
}

await bundle('main.ts', join(work, 'main.cjs'), [servicesBesideBinary, addonsBesideBinary]);
for (const service of SERVICES) {
  const file = join(work, `${service}.cjs`);
  await bundle(sourceOf(service), file, [addonsBesideBinary]);
  writeFileSync(file, `(function (exports, require, module, __filename, __dirname) {${readFileSync(file, 'utf8')}\n})`);
}

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
// What V8 makes of a script, made once here, after its modules have set themselves up: that is most of a start. `main` is not called.
// A V8 with other flags or of another version would leave it and read the script itself.
// Compiled code is not dropped while that goes on: when it is depends on the collector, and so would the bytes.
const CACHE = `const fs = require('node:fs'), file = process.argv[1], { Script } = require('node:vm'), { setFlagsFromString } = require('node:v8');
setFlagsFromString('--no-flush-bytecode');
Object.defineProperty(process, 'execPath', { value: ${JSON.stringify(join(programs, 'bin/holdfast'))} });
const script = new Script(fs.readFileSync(file, 'latin1'), { filename: file });
const m = { exports: {} };
script.runInThisContext()(m.exports, require, m, file, '.');
if (typeof m.exports.main !== 'function') throw new Error(file + ' has no main');
setFlagsFromString('--flush-bytecode');
const bytes = script.createCachedData();
if (new Script(fs.readFileSync(file, 'latin1'), { filename: file, cachedData: bytes }).cachedDataRejected) throw new Error('V8 would not take the cache of ' + file);
fs.writeFileSync(file.replace('.cjs', '.cache'), bytes);
process.exit(0);`;
for (const service of SERVICES) {
  // In the tools tree, because it opens the addons, which were compiled there.
  await runInTools([repository], ['env', '-i', node, '--predictable', '-e', CACHE, `${service}.cjs`], { cwd: work });
  for (const name of [`${service}.cjs`, `${service}.cache`]) {
    copyFileSync(join(work, name), join(programs, 'lib', name));
    chmodSync(join(programs, 'lib', name), 0o644);
  }
}
for (const program of ['call-launch', 'container-enter', 'call-init', 'file-tool']) {
  copyFileSync(join(out, 'native', program), join(programs, program));
  chmodSync(join(programs, program), 0o755);
}

writeForImage(join(out, 'root'));

// The same Node as a program of the tool root, with the npm that the lockfile pins; its pages nobody reads there.
copyFileSync(node, join(toolroot, 'bin/node'));
cpSync(join(repository, 'node_modules/npm'), join(toolroot, 'lib/node_modules/npm'), {
  recursive: true,
  filter: (source) => !/\/node_modules\/npm\/(?:docs|man)$/.test(source),
});
for (const name of ['npm', 'npx']) symlinkSync(`../lib/node_modules/npm/bin/${name}-cli.js`, join(toolroot, 'bin', name));
// Where `holdfast mcp` of the appliance is shown to an agent that lives in a container.
for (const dir of ['bin', 'lib']) mkdirSync(join(toolroot, 'lib/holdfast', dir));
symlinkSync('../lib/holdfast/bin/holdfast', join(toolroot, 'bin/holdfast'));
// A call's launch executes these at their own paths, whichever root it sees.
for (const program of ['call-init', 'file-tool']) copyFileSync(join(programs, program), join(toolroot, 'lib/holdfast', program));

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
const lib = [...addons.keys(), ...SERVICES.map((service) => `${service}.cjs`)];
console.log(`host agent: ${Math.round(size / 1e6)} MB, with ${lib.join(' ')}, in ${dirname(programs)}`);
