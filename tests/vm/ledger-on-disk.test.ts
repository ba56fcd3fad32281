// SPDX-License-Identifier: Apache-2.0
// Whoever has root can change the ledger's file; `holdfast verify` says that it was done, and where (R52, E01, E02). The file is
// the machine's own, changed while the ledger is stopped and put back after each case.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callTools } from './door.ts';
import { asRoot, declare, head, holdfast, root } from './machine.ts';

const KEPT = '/var/lib/ledger-kept';
const HOME = '/var/lib/holdfast-ledger';
let newest = 0;
let middle = 0;

const restore = `systemctl stop holdfast-ledger.service; rm -rf ${HOME}/segments ${HOME}/head && cp -a ${KEPT}/segments ${KEPT}/head ${HOME}/`;

beforeAll(async () => {
  declare('name: worker\ntype: dev\n');
  // Entries of its own for this file to change, whatever ran before it.
  await callTools('worker', Array.from({ length: 4 }, (_, i) => ({ tool: 'fs.write', args: { path: `/workspace/ledger-${i}`, text: String(i), mode: 'replace' } })));
  expect(holdfast('verify')).toMatchObject({ status: 0 });
  root(`systemctl stop holdfast-ledger.service && rm -rf ${KEPT} && cp -a ${HOME} ${KEPT}`);
  newest = head();
  middle = newest >> 1;
  expect(newest).toBeGreaterThan(12);
});

afterAll(async () => {
  asRoot(`${restore}; rm -rf ${KEPT}; systemctl restart holdfast-ledger.service`);
  expect(holdfast('verify')).toMatchObject({ status: 0 });
  expect((await callTools('worker', [{ tool: 'process.run', args: { program: 'true' } }]))[0]).toMatchObject({ isError: false });
});

/** Python over the newest segment, with `db` open, `N` the newest entry and `K` one in the middle. */
function inFile(python: string): string {
  return root('python3 -', `import glob, hashlib, json, sqlite3
file = sorted(glob.glob('${HOME}/segments/*.db'))[-1]
db = sqlite3.connect(file, isolation_level=None)
N, K = ${newest}, ${middle}
def bytes_of(seq):
    return db.execute('select bytes from entry where seq = ?', (seq,)).fetchone()[0]
def leaf(bytes):
    return hashlib.sha256(b'\\0' + bytes).hexdigest()
def changed(seq):
    b = bytearray(bytes_of(seq))
    i = b.index(b'"time":"20') + 9
    b[i] = b[i] ^ 1
    return bytes(b)
${python}
db.close()
`);
}

/** As root, who can take the triggers away and put them back as they were, so that nothing but the entries differs. */
function tamper(python: string): void {
  root(restore);
  inFile(`triggers = db.execute("select name, sql from sqlite_schema where type = 'trigger'").fetchall()
for name, _ in triggers: db.execute(f'drop trigger {name}')
${python}
for _, sql in triggers: db.execute(sql)`);
}

function verdict(): string {
  const ran = holdfast('verify');
  expect(ran.status, ran.stdout + ran.stderr).toBe(1);
  return ran.stdout.trim();
}

describe('an entry that was changed', () => {
  it('nothing changed: taking the triggers away and putting them back shows nothing, so what follows shows something', () => {
    tamper('pass');
    expect(holdfast('verify')).toMatchObject({ status: 0 });
  });

  for (const which of ['first', 'middle', 'last'] as const) {
    it(`one bit of the ${which}: verify names it`, () => {
      const seq = { first: 1, middle, last: newest }[which];
      tamper(`db.execute('update entry set bytes = ? where seq = ?', (changed(${seq}), ${seq}))`);
      expect(verdict()).toMatch(new RegExp(`^BAD at entry ${seq} `));
    });
  }

  it('the first entry\'s bytes in the raw file, past SQLite: verify names it', () => {
    root(restore);
    inFile(`b = bytearray(open(file, 'rb').read())
old, new = bytes_of(1), changed(1)
db.close()
i = b.index(old)
b[i:i + len(old)] = new
open(file, 'wb').write(b)`);
    expect(verdict()).toMatch(/^BAD at entry 1 /);
  });

  for (const column of ['hash', 'prev', 'id', 'source', 'time', 'kind', 'actor', 'agent', 'outcome']) {
    it(`the column ${column}, by which it is searched: verify names it`, () => {
      tamper(`db.execute("update entry set ${column} = coalesce(${column}, '') || 'x' where seq = ?", (K,))`);
      expect(verdict()).toMatch(new RegExp(`^BAD at entry ${middle} `));
    });
  }

  it('with a hash that fits it: the next one does not follow it', () => {
    tamper(`b = changed(K)
t = json.loads(b)['time']
db.execute('update entry set bytes = ?, hash = ?, time = ? where seq = ?', (b, leaf(b), t, K))`);
    expect(verdict()).toMatch(new RegExp(`^BAD at entry (${middle}|${middle + 1}) `));
  });

  it('and every later one made to fit: the head is not the one that was recorded', () => {
    tamper(`prev = None
for seq in range(K, N + 1):
    b = bytes_of(seq) if seq > K else changed(K)
    if prev is not None:
        b = b.replace(b'"prev":"' + json.loads(b)['prev'].encode(), b'"prev":"' + prev.encode())
    e = json.loads(b)
    prev = leaf(b)
    db.execute('update entry set bytes = ?, hash = ?, prev = ?, time = ? where seq = ?', (b, prev, e['prev'], e['time'], seq))`);
    expect(verdict()).toMatch(new RegExp(`^BAD at entry (${newest}|${newest + 1}) `));
  });
});

describe('entries that were taken away, moved or added', () => {
  it('the last one deleted: verify says which is missing, and nothing is recorded or run any more', async () => {
    tamper(`db.execute('delete from entry where seq = ?', (N,))`);
    expect(verdict()).toMatch(new RegExp(`^BAD at entry ${newest} .*missing`));
    const [refused] = await callTools('worker', [{ tool: 'process.run', args: { program: 'true' } }]);
    expect(refused).toMatchObject({ isError: true, data: { refused: 'ledger_unavailable' } });
  });

  it('a range deleted', () => {
    tamper(`db.execute('delete from entry where seq between ? and ?', (K, K + 3))`);
    expect(verdict()).toMatch(new RegExp(`^BAD at entry ${middle} .*missing`));
  });

  it('all deleted', () => {
    tamper(`db.execute('delete from entry')`);
    expect(verdict()).toMatch(/^BAD at entry 1 /);
  });

  it('the file itself deleted', () => {
    root(`${restore} && rm ${HOME}/segments/*`);
    expect(verdict()).toMatch(/^BAD at entry 1.*gone/);
  });

  it('two in the other order', () => {
    tamper(`for a, b in ((K, -1), (K + 1, K), (-1, K + 1)): db.execute('update entry set seq = ? where seq = ?', (b, a))`);
    expect(verdict()).toMatch(new RegExp(`^BAD at entry ${middle} `));
  });

  it('a forged one that follows the last in every way', () => {
    tamper(`e = json.loads(bytes_of(N))
counts = dict(db.execute('select source, max(source_seq) from entry group by source').fetchall())
e.update(seq=N + 1, prev=leaf(bytes_of(N)), id=e['id'][:-1] + ('0' if e['id'][-1] != '0' else '1'), source_seq=counts[e['source']] + 1)
b = json.dumps(e, sort_keys=True, separators=(',', ':'), ensure_ascii=False).encode()
columns = [r[1] for r in db.execute('pragma table_info(entry)')]
old = dict(zip(columns, db.execute('select * from entry where seq = ?', (N,)).fetchone()))
old.update(seq=N + 1, prev=e['prev'], id=e['id'], source_seq=e['source_seq'], hash=leaf(b), bytes=b)
db.execute(f"insert into entry ({','.join(columns)}) values ({','.join('?' * len(columns))})", [old[c] for c in columns])`);
    expect(verdict()).toMatch(new RegExp(`^BAD at entry ${newest + 1} `));
  });

  it('an older copy of the segment in its place', () => {
    tamper(`db.execute('delete from entry where seq > ?', (N - 5,))`);
    expect(verdict()).toMatch(new RegExp(`^BAD at entry ${newest - 4} .*missing`));
  });

  it('the note of the head deleted, or another written', () => {
    root(`${restore} && rm ${HOME}/head`);
    expect(verdict()).toMatch(/^BAD at .*note/);
    root(`${restore} && sed -i 's/"closed":true/"closed":false/' ${HOME}/head`);
    expect(verdict()).toMatch(/^BAD at /);
  });

  it('a trigger taken away', () => {
    root(restore);
    inFile(`db.execute('drop trigger entry_update')`);
    expect(verdict()).toMatch(/^BAD at .*schema was changed/);
  });
});

describe('the file keeps itself from statements that look harmless', () => {
  it('UPDATE, DELETE, REPLACE, an entry out of turn and DROP abort, from any SQLite; verify stays good', () => {
    root(restore);
    const said = inFile(`db.execute('pragma foreign_keys = on')
for sql in (
    'update entry set kind = kind', 'delete from entry', 'delete from entry where seq = 1', 'update segment set first = 2', 'delete from segment',
    'insert or replace into entry select * from entry where seq = 1', 'replace into entry select * from entry order by seq desc limit 1',
    'insert into entry select * from entry where seq = 1', 'insert or ignore into segment select * from segment',
    'drop table entry', 'drop table segment',
):
    try:
        n = db.execute(sql).rowcount
        print('done', n, sql)
    except sqlite3.Error as fault:
        print('refused', fault)`);
    expect(said.trim().split('\n')).toEqual([
      'refused the ledger is append-only', 'refused the ledger is append-only', 'refused the ledger is append-only', 'refused the ledger is append-only', 'refused the ledger is append-only',
      'refused the ledger takes only the entry that comes next', 'refused the ledger takes only the entry that comes next',
      'refused the ledger takes only the entry that comes next', 'refused a segment has one header',
      'refused FOREIGN KEY constraint failed', 'refused FOREIGN KEY constraint failed',
    ]);
    expect(holdfast('verify')).toMatchObject({ status: 0 });
  });
});
