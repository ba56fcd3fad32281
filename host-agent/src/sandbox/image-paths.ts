// SPDX-License-Identifier: Apache-2.0
import { isBeneath } from './bindable.ts';

/** What a program's call sees of the image without holding anything, read-only. */
export const IMAGE = '/usr';
/** Links from the root into the image: another name of each of its directories. */
export const MERGED_USR = ['bin', 'lib', 'lib64', 'sbin'];
/** What programs of the image expect of /etc beside their own configuration; alternatives is where awk and vi lead. */
export const IMAGE_ETC = ['alternatives', 'group', 'hosts', 'ld.so.cache', 'localtime', 'nsswitch.conf', 'passwd'].map((name) => `/etc/${name}`);

/** Whose /usr the calls of a type see: the appliance's own, or that of the tool root (image/mkosi.images/toolroot). */
export const ROOTS = ['image', 'tools'] as const;
export type Root = (typeof ROOTS)[number];
export const TOOL_ROOT = '/usr/lib/holdfast/toolroot';
/** Of IMAGE_ETC, what tells of the programs in a /usr and of no others. */
const OF_THE_ROOT = [IMAGE, '/etc/alternatives', '/etc/ld.so.cache'];

/** Where that lies on the machine which a call sees as `path`. */
export function pathUnder(root: Root, path: string): string {
  return root === 'tools' && OF_THE_ROOT.some((place) => isBeneath(path, place)) ? TOOL_ROOT + path : path;
}
