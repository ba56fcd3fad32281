// SPDX-License-Identifier: Apache-2.0

/** Says what goes on during a long step: a line at its start and one at its end, and on a terminal the seconds between. */
export async function step<T>(title: string, work: () => Promise<T>): Promise<T> {
  const begun = Date.now();
  const seconds = () => `${Math.round((Date.now() - begun) / 1000)} s`;
  const live = process.stderr.isTTY;
  if (!live) process.stderr.write(`  ${title} …\n`);
  const ticker = live ? setInterval(() => process.stderr.write(`\r  ${title} … ${seconds()} `), 1000) : undefined;
  if (live) process.stderr.write(`  ${title} …`);
  try {
    const value = await work();
    clearInterval(ticker);
    process.stderr.write(live ? `\r  ${title}: done in ${seconds()}   \n` : `  ${title}: done in ${seconds()}\n`);
    return value;
  } catch (error) {
    clearInterval(ticker);
    process.stderr.write(live ? `\r  ${title}: not done after ${seconds()}   \n` : `  ${title}: not done after ${seconds()}\n`);
    throw error;
  }
}
