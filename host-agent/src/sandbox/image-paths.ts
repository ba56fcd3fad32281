// SPDX-License-Identifier: Apache-2.0

/** What a program's call sees of the image without holding anything, read-only. */
export const IMAGE = '/usr';
/** Links from the root into the image: another name of each of its directories. */
export const MERGED_USR = ['bin', 'lib', 'lib64', 'sbin'];
/** What programs of the image expect of /etc beside their own configuration; alternatives is where awk and vi lead. */
export const IMAGE_ETC = ['alternatives', 'group', 'hosts', 'ld.so.cache', 'localtime', 'nsswitch.conf', 'passwd'].map((name) => `/etc/${name}`);
