// SPDX-License-Identifier: Apache-2.0
// A permit outlives nobody: when holdfastd or the runner dies, or is stopped, what runs ends at once or at its not-after; and
// without the ledger nothing runs (E06). Late, replayed and foreign receipts are native tests (runner.native.test.ts).
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { callTools, openDoor, type Door, type ToolAnswer } from './door.ts';
import { withDropIn } from './guards.ts';
import { asRoot, declare, head, holdfast, log, logSince, mainPid, revokeAll, root, until, type LogLine } from './machine.ts';

const RUNNER = 'holdfast-runner@worker.service';
const FILES = '/var/lib/holdfast-workspaces/worker';
let marks = 4700;
let open: Door | null = null;

beforeAll(async () => {
  declare('name: worker\ntype: dev\n');
  revokeAll('worker');
  await callTools('worker', [{ tool: 'process.run', args: { program: 'true' } }]);
});

afterEach(() => {
  // Whatever a test left stopped goes on.
  asRoot(`kill -CONT $(systemctl show -P MainPID holdfastd.service ${RUNNER} holdfast-ledger.service | grep -v '^0*$')`);
  open?.close();
});

type Running = { readonly mark: string; readonly intent: LogLine; readonly answer: Promise<ToolAnswer | null> };

/** A call that would sleep for more than an hour; answers once it runs. */
async function start(timeoutMs: number): Promise<Running> {
  const mark = `sleep ${++marks}`;
  const seq = head();
  open = await openDoor('worker');
  // A second process that nobody waits for: the end must take it too. Both are deaf to what systemd sends the unit of a runner that died.
  const answer = open.call('process.run', { program: 'sh', args: ['-c', `trap '' TERM; setsid ${mark} & ${mark}`], timeout_ms: timeoutMs }).catch(() => null);
  await until('the call to run', () => Number(root(`pgrep -cf '^${mark}' || true`)) === 2);
  return { mark, intent: logSince(seq, '--actor agent:worker --kind call.intent')[0]!, answer };
}

/** Runs `act` and answers how long the call's processes lasted after it, on the machine's own clock. */
function lasted(act: string, { mark }: Running): number {
  const loop = `s=$(date +%s%3N); while pgrep -f '^${mark}' >/dev/null && [ $(( $(date +%s%3N) - s )) -lt 60000 ]; do sleep 0.05; done`;
  const alive = Number(root(`${act}; ${loop}; echo $(( $(date +%s%3N) - s ))`));
  expect(root(`pgrep -af '^${mark}' || true`)).toBe('');
  return alive;
}

function outcomeOf({ intent }: Running): LogLine | undefined {
  return log('--agent worker --kind call.outcome --limit 50').find(({ data }) => data['intent'] === intent.seq);
}

async function worksAgain(): Promise<void> {
  await until('calls to work again', async () => {
    const answers = await callTools('worker', [{ tool: 'process.run', args: { program: 'true' } }]).catch(() => []);
    return answers[0]?.isError === false;
  });
  expect(holdfast('verify')).toMatchObject({ status: 0 });
}

const state = (pid: number) => root(`ps -o stat= -p ${pid} || true`).trim();

describe('kill -9 in the middle of a call', () => {
  it('of holdfastd: the call ends at once; the intent stays, alone; holdfastd comes back', async () => {
    const call = await start(120_000);
    const [daemon, runner] = [mainPid('holdfastd.service'), mainPid(RUNNER)];
    // Long before its not-after, so it is not that which ends it.
    expect(lasted(`kill -9 ${daemon}`, call)).toBeLessThan(60_000);
    expect(await call.answer).toBeNull();
    await worksAgain();
    expect(mainPid('holdfastd.service')).not.toBe(daemon);
    expect(mainPid(RUNNER)).toBe(runner);
    expect(call.intent.data).toMatchObject({ tool: 'process.run' });
    expect(outcomeOf(call)).toBeUndefined();
  });

  it('of the runner: the call ends at once, and the outcome says that it failed', async () => {
    const call = await start(120_000);
    expect(lasted(`kill -9 ${mainPid(RUNNER)}`, call)).toBeLessThan(60_000);
    expect(await call.answer).toMatchObject({ isError: true, text: expect.stringMatching(/the call failed.*runner went away/i) });
    expect(outcomeOf(call)).toMatchObject({ data: { status: 'failed' } });
    await worksAgain();
  });

  it('of the ledger: the call goes on, and its outcome is recorded by the next one', async () => {
    const call = await start(8_000);
    root(`kill -9 ${mainPid('holdfast-ledger.service')}`);
    expect(await call.answer).toMatchObject({ isError: true, data: { deadline: true } });
    expect(outcomeOf(call)).toMatchObject({ data: { status: 'deadline' } });
    await worksAgain();
  });
});

describe('kill -STOP in the middle of a call: PID 1 of the call keeps its not-after', () => {
  for (const [who, units] of [['holdfastd', ['holdfastd.service']], ['the runner', [RUNNER]], ['both', ['holdfastd.service', RUNNER]]] as const) {
    it(`of ${who}`, async () => {
      const call = await start(8_000);
      const notAfter = Number(call.intent.data['not_after']);
      const pids = units.map(mainPid);
      lasted(`kill -STOP ${pids.join(' ')}`, call);
      const ended = Number(root('cut -d" " -f1 /proc/uptime')) * 1000;
      expect(ended).toBeGreaterThanOrEqual(notAfter);
      expect(ended).toBeLessThan(notAfter + 60_000);
      // nobody else can have done it
      for (const pid of pids) expect(state(pid)).toMatch(/^T/);
      root(`kill -CONT ${pids.join(' ')}`);
      expect(await call.answer).toMatchObject({ isError: true, data: { deadline: true } });
      expect(outcomeOf(call)).toMatchObject({ data: { status: 'deadline' } });
      await worksAgain();
    });
  }
});

describe('without the ledger nothing runs (E06)', () => {
  const touch = (name: string) => ({ tool: 'process.run', args: { program: 'touch', args: [`/workspace/${name}`] } });
  const made = (name: string) => root(`rm ${FILES}/${name} 2>/dev/null && echo made || echo none`).trim();

  it('a ledger that hangs: calls are refused as ledger_unavailable, and work when it goes on', async () => {
    expect((await callTools('worker', [touch('control')]))[0]).toMatchObject({ isError: false });
    expect(made('control')).toBe('made');
    const pid = mainPid('holdfast-ledger.service');
    root(`kill -STOP ${pid}`);
    const [refused, observed] = await callTools('worker', [touch('hung'), { tool: 'host.metrics', args: {} }]);
    expect(refused).toMatchObject({ isError: true, data: { refused: 'ledger_unavailable' } });
    expect(observed).toMatchObject({ isError: true, data: { refused: 'ledger_unavailable' } });
    root(`kill -CONT ${pid}`);
    await worksAgain();
    expect(made('hung')).toBe('none');
  });

  it('a ledger that cannot start: the same', async () => {
    await withDropIn('holdfast-ledger.service', ['ExecStart=', 'ExecStart=/bin/false'], async () => {
      root('systemctl stop holdfast-ledger.service');
      const [refused] = await callTools('worker', [touch('dead')]);
      expect(refused).toMatchObject({ isError: true, data: { refused: 'ledger_unavailable' } });
      expect(made('dead')).toBe('none');
    });
    root('systemctl restart holdfast-ledger.service');
    await worksAgain();
    expect(made('dead')).toBe('none');
  });

  it('a ledger that may not write: the same', async () => {
    root('systemctl stop holdfast-ledger.service && chmod 500 /var/lib/holdfast-ledger/segments && chmod 400 /var/lib/holdfast-ledger/segments/*');
    try {
      const [refused] = await callTools('worker', [touch('readonly')]);
      expect(refused).toMatchObject({ isError: true, data: { refused: 'ledger_unavailable' } });
    } finally {
      root('systemctl stop holdfast-ledger.service; chmod 700 /var/lib/holdfast-ledger/segments; chmod 600 /var/lib/holdfast-ledger/segments/*; systemctl start holdfast-ledger.service');
    }
    await worksAgain();
    expect(made('readonly')).toBe('none');
  });
});

describe('what an operator stopped', () => {
  it('stays stopped when holdfastd comes back', async () => {
    expect(holdfast('agent stop demo')).toMatchObject({ status: 0 });
    const daemon = mainPid('holdfastd.service');
    root(`kill -9 ${daemon}`);
    await worksAgain();
    expect(mainPid('holdfastd.service')).not.toBe(daemon);
    expect(root('systemctl is-active holdfast-agent@demo.service || true').trim()).toBe('inactive');
  });

  it('and a unit of an agent that nobody declared starts nothing', () => {
    for (const unit of ['holdfast-agent@nobody.service', 'holdfast-runner@nobody.service']) {
      // Of what it needs, or of itself.
      expect(asRoot(`systemctl start ${unit}`).stderr, unit).toMatch(/Assertion failed|A dependency job .* failed/);
      expect(asRoot(`systemctl is-active ${unit}`).stdout, unit).toBe('inactive\n');
    }
  });
});
