// SPDX-License-Identifier: Apache-2.0
import { type Ceiling, parseCeiling } from '../capability/ceiling.ts';
import { reachesNetwork, type AgentType, type Profiles } from './agent-type.ts';
import { allowRules, denyRules } from './apparmor-rules.ts';

export type ProfileFile = { readonly name: string; readonly text: string };

/**
 * The profiles of a type (DESIGN: agent, runner, call), made when the image is built. Which files a call reaches follows from
 * the type's ceiling; what programs need is written by hand in apparmor.d/abstractions. A type that may run no program gets none of
 * what programs need.
 *
 * The agent's own process has nothing of the ceiling: mediated, it reaches its door and reads its workspace, whatever it may do there;
 * contained (a fourth profile), it has the tools of the image in its workspace besides. Its network is what the ceiling says: none, or its
 * relay, which is all there is in its namespace. No call has one.
 */
export function profilesOfType({ name, ceiling: declared, profiles, modes }: Pick<AgentType, 'name' | 'ceiling' | 'profiles' | 'modes'>): readonly ProfileFile[] {
  const ceiling = parseCeiling(declared);
  if (!ceiling.ok) throw new Error(`type ${name}: ${ceiling.error}`);
  const { agent, contained, runner, call } = profiles;
  const stacked = `${runner}//&${call}`;
  const may = (namespace: string): boolean => ceiling.value.allow.some((held) => held.namespace === namespace && held.action === 'run');
  const network = `include <abstractions/holdfast-agent-${reachesNetwork(declared) ? 'net' : 'alone'}>`;
  const within = [
    'include <abstractions/holdfast-in-call>',
    ...(may('process') ? ['include <abstractions/holdfast-programs>'] : []),
    '# the ceiling',
    ...allowRules(ceiling.value),
  ];
  return [
    profile(agent, name, ['include <abstractions/holdfast-base>', 'include <abstractions/holdfast-agent>', network, `signal (send,receive) peer=${agent},`]),
    ...(modes.includes('contained') ? [profile(contained, name, [
      'include <abstractions/holdfast-base>',
      'include <abstractions/holdfast-agent>',
      'include <abstractions/holdfast-agent-contained>',
      network,
      `signal (send,receive) peer=${contained},`,
    ])] : []),
    profile(runner, name, [
      'include <abstractions/holdfast-base>',
      'include <abstractions/holdfast-runner>',
      // A call runs under both profiles, so what the call's allows must be allowed here too.
      ...within,
      `priority=1 /usr/lib/holdfast/call-init px -> ${stacked},`,
      `signal (send,receive) peer=${runner},`,
      `signal (send,receive) peer=${asPeer(runner, call)},`,
      `signal (send,receive) peer=${call},`,
    ]),
    profile(call, name, [
      'include <abstractions/holdfast-call>',
      ...within,
      ...denyRules(ceiling.value),
      `signal (send,receive) peer=${call},`,
      `signal (send,receive) peer=${asPeer(runner, call)},`,
      `signal (receive) peer=${runner},`,
    ]),
    ...(may('container') ? containerProfiles(name, profiles, ceiling.value) : []),
  ];
}

/** Whatever may be in an image may be executed and read; what a container does to the machine's files is the ceiling's, as in a call. */
function containerProfiles(name: string, { containers, container }: Profiles, ceiling: Ceiling): readonly ProfileFile[] {
  const inside = [
    'include <abstractions/holdfast-in-call>',
    'include <abstractions/holdfast-programs>',
    'include <abstractions/holdfast-in-container>',
    '# in memory, of its own',
    '/run/{,**} rwkl,',
    '# the ceiling',
    ...allowRules(ceiling),
  ];
  const both = `signal (send,receive) peer=${asPeer(containers, container)},`;
  return [
    profile(containers, name, [
      'include <abstractions/holdfast-base>',
      'include <abstractions/holdfast-podman>',
      ...inside,
      `priority=1 /usr/lib/holdfast/call-init px -> ${containers}//&${container},`,
      '# crun writes the ids of the child that it has started',
      `ptrace (read,readby) peer=${containers},`,
      `signal (send,receive) peer=${containers},`,
      both,
      `signal (send,receive) peer=${container},`,
    ]),
    profile(container, name, [
      'include <abstractions/holdfast-call>',
      ...inside,
      ...denyRules(ceiling),
      `signal (send,receive) peer=${container},`,
      both,
      `signal (receive) peer=${containers},`,
    ]),
  ];
}

/** A peer's label has its parts in the order of their names, whatever it was called in the rule that made it. */
function asPeer(...parts: readonly string[]): string {
  return parts.toSorted().join('//&');
}

function profile(name: string, type: string, lines: readonly string[]): ProfileFile {
  const head = `# Made from types/${type}.yaml when the image is built.\nabi <abi/4.0>,\ninclude <tunables/global>\n\n`;
  const body = lines.map((line) => `  ${line}\n`).join('');
  return { name, text: `${head}profile ${name} flags=(attach_disconnected,mediate_deleted) {\n${body}}\n` };
}
