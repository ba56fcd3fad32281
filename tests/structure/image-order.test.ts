// SPDX-License-Identifier: Apache-2.0
// In which order our units start and stop, as their files say it.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { repository } from '../../image/host/workplace.ts';

const folder = join(repository, 'systemd/system');
const units = readdirSync(folder).filter((name) => /\.(service|socket|path|slice)$/.test(name));
const text = new Map(units.map((unit) => [unit, readFileSync(join(folder, unit), 'utf8')]));

/** All words of a setting; %i stands for the one instance that templates are taken to have. */
function words(unit: string, key: string): readonly string[] {
  const lines = [...(text.get(unit) ?? '').matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))];
  return lines.flatMap(([, value = '']) => value.replaceAll('@%i.', '@.').split(' ')).filter((word) => word !== '');
}

/** What a unit starts after, and so stops before: said, or by default (systemd.special(7), systemd.socket(5), systemd.path(5)). */
function startsAfter(unit: string): readonly string[] {
  const said = [...words(unit, 'After'), ...units.filter((other) => words(other, 'Before').includes(unit))];
  const triggers = (other: string): string => [...words(other, 'Service'), ...words(other, 'Unit')][0] ?? other.replace(/\.(socket|path)$/, '.service');
  const triggered = units.filter((other) => /\.(socket|path)$/.test(other) && triggers(other) === unit);
  const early = words(unit, 'DefaultDependencies').includes('no');
  const usual = unit.endsWith('.service') && text.has(unit) && !early ? ['basic.target'] : [];
  return [...said, ...triggered, ...usual, ...(TARGETS[unit] ?? [])];
}

const TARGETS: Readonly<Record<string, readonly string[]>> = {
  'basic.target': ['sysinit.target', 'sockets.target', 'paths.target', 'slices.target'],
  'sockets.target': units.filter((unit) => unit.endsWith('.socket')),
  'paths.target': units.filter((unit) => unit.endsWith('.path')),
  'sysinit.target': units.filter((unit) => words(unit, 'WantedBy').includes('sysinit.target')),
};

it('agents and runners stop before holdfastd, holdfastd before the ledger and the bus (R100)', () => {
  expect(units).toEqual(expect.arrayContaining(['holdfastd.service', 'holdfast-ledger.service', 'holdfast-agent@.service', 'holdfast-runner@.service']));
  for (const unit of ['holdfast-agent@.service', 'holdfast-runner@.service']) expect(words(unit, 'After'), unit).toContain('holdfastd.service');
  expect(words('holdfastd.service', 'After')).toEqual(expect.arrayContaining(['holdfast-ledger.service', 'dbus.service']));
  // Only who conflicts with shutdown.target is stopped in order; the rest is killed at the very end.
  for (const unit of ['holdfast-agent@.service', 'holdfast-runner@.service', 'holdfastd.service', 'holdfast-ledger.service']) {
    expect(words(unit, 'DefaultDependencies'), unit).toEqual([]);
  }
});

it('waits for no more than its socket when holdfastd starts: the ledger is in no start of its', () => {
  for (const key of ['Requires', 'Wants', 'BindsTo', 'Requisite']) expect(words('holdfastd.service', key)).not.toContain('holdfast-ledger.service');
});

it('has no cycle, which systemd would break by leaving one of the units out', () => {
  const cycles: string[] = [];
  const done = new Set<string>();
  const walk = (unit: string, way: readonly string[]): void => {
    if (way.includes(unit)) cycles.push([...way.slice(way.indexOf(unit)), unit].join(' after '));
    if (way.includes(unit) || done.has(unit)) return;
    for (const other of startsAfter(unit)) walk(other, [...way, unit]);
    done.add(unit);
  };
  for (const unit of [...units, ...Object.keys(TARGETS)]) walk(unit, []);
  expect(done.size).toBeGreaterThan(units.length);
  expect(cycles).toEqual([]);
});
