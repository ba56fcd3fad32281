// SPDX-License-Identifier: Apache-2.0
// A server of secrets as the HTTP interface of Vault and OpenBao is published: the KV secrets engine of version 2 ("Read Secret Version",
// "Create/Update Secret", "Delete Latest Version", "Destroy Secret Versions"), tokens ("Lookup a Token (Self)", "Renew a Token (Self)",
// "Revoke a Token (Self)"), and the status codes of both. Neither server can be had here: this is what the tests of sources speak with,
// vault-contract.test.ts says what it does, and nobody claims more than that a real one does the same.

export type VaultRequest = { readonly method: string; readonly path: string; readonly headers: Readonly<Record<string, string | undefined>>; readonly body: string };
export type VaultAnswer = { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: string };

type Version = { readonly data: Readonly<Record<string, unknown>>; readonly created: number; deletion: number | null; destroyed: boolean };
type Token = { endsAt: number | null; readonly ttl: number; readonly period: boolean; readonly renewable: boolean; readonly paths: readonly string[] | null; readonly maxEndsAt: number | null };

export type VaultContract = {
  readonly answer: (request: VaultRequest) => VaultAnswer;
  /** `ttl` in seconds, 0: it never ends. `paths` null: it may read all. `maxTtl`: no renewal goes beyond it. */
  readonly token: (id: string, options?: { readonly ttl?: number; readonly renewable?: boolean; readonly paths?: readonly string[]; readonly maxTtl?: number }) => void;
  readonly revoke: (id: string) => void;
  /** A new version at MOUNT/PATH. `deleteAfter` seconds: `delete_version_after`. */
  readonly put: (place: string, data: Readonly<Record<string, unknown>>, options?: { readonly namespace?: string; readonly deleteAfter?: number }) => void;
  readonly remove: (place: string) => void;
  readonly destroy: (place: string) => void;
  sealed: boolean;
  /** The name of the active server, where this one is a standby that sends on. */
  standbyOf: string | null;
  /** Of KV answers. KV version 2 itself says 0. */
  leaseDuration: number;
};

const JSON_TYPE = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' };
const REQUEST_ID = '5f2c1e1c-7d1d-4b0e-9c0e-3f5d6f3c1a2b';

export function vaultContract(now: () => number = Date.now): VaultContract {
  const tokens = new Map<string, Token>();
  const secrets = new Map<string, Version[]>();

  function answer(request: VaultRequest): VaultAnswer {
    if (contract.sealed) return errors(503, 'Vault is sealed');
    if (contract.standbyOf !== null) return { status: 307, headers: { Location: `https://${contract.standbyOf}${request.path}` }, body: '' };
    if (!request.path.startsWith('/v1/')) return errors(404);
    const id = request.headers['x-vault-token'] ?? '';
    if (id === '') return errors(400, 'missing client token');
    const token = tokens.get(id);
    if (token === undefined || (token.endsAt !== null && token.endsAt <= now())) return errors(403, 'permission denied', 'invalid token');
    const place = request.path.slice('/v1/'.length);
    switch (place) {
      case 'auth/token/lookup-self':
        return request.method === 'GET' ? lookedUp(id, token) : errors(405, 'unsupported operation');
      case 'auth/token/renew-self':
        return request.method === 'POST' || request.method === 'PUT' ? renewed(id, token) : errors(405, 'unsupported operation');
      case 'auth/token/revoke-self':
        tokens.delete(id);
        return { status: 204, headers: {}, body: '' };
      default:
        return secret(request, place, token);
    }
  }

  function secret(request: VaultRequest, place: string, token: Token): VaultAnswer {
    const [, mount, path] = /^([^/]+)\/data\/(.+)$/.exec(place) ?? [];
    if (mount === undefined || path === undefined) return errors(404, `no handler for route "${place}". route entry not found.`);
    const key = keyOf(`${mount}/${path}`, request.headers['x-vault-namespace']);
    if (token.paths !== null && !token.paths.includes(`${mount}/${path}`)) return errors(403, '1 error occurred:\n\t* permission denied\n\n');
    switch (request.method) {
      case 'GET':
        return readOut(secrets.get(key)?.at(-1), secrets.get(key)?.length ?? 0);
      case 'POST':
      case 'PUT': {
        const { data } = JSON.parse(request.body) as { data?: Record<string, unknown> };
        if (data === undefined) return errors(400, 'no data provided');
        add(key, data, null);
        return told({ data: metadataOf(secrets.get(key)!.at(-1)!, secrets.get(key)!.length) });
      }
      case 'DELETE':
        contract.remove(`${mount}/${path}`);
        return { status: 204, headers: {}, body: '' };
      default:
        return errors(405, 'unsupported operation');
    }
  }

  /** A version that is deleted or destroyed is a 404 with its metadata. */
  function readOut(version: Version | undefined, number: number): VaultAnswer {
    if (version === undefined) return errors(404);
    const gone = version.destroyed || (version.deletion !== null && version.deletion <= now());
    return told({ data: { data: gone ? null : version.data, metadata: metadataOf(version, number) } }, gone ? 404 : 200);
  }

  function metadataOf({ created, deletion, destroyed }: Version, version: number): object {
    return { created_time: nanos(created), custom_metadata: null, deletion_time: deletion === null ? '' : nanos(deletion), destroyed, version };
  }

  function lookedUp(id: string, { endsAt, ttl, period, renewable }: Token): VaultAnswer {
    const left = endsAt === null ? 0 : Math.max(0, Math.floor((endsAt - now()) / 1_000));
    return told({
      data: {
        accessor: 'an-accessor', creation_time: 1, creation_ttl: ttl, display_name: 'token', entity_id: '', expire_time: endsAt === null ? null : nanos(endsAt), explicit_max_ttl: 0, id, meta: null,
        num_uses: 0, orphan: true, path: 'auth/token/create', policies: ['default'], renewable, ttl: left, type: 'service', ...(period ? { period: ttl } : {}),
      },
    });
  }

  function renewed(id: string, token: Token): VaultAnswer {
    if (!token.renewable) return errors(400, 'lease is not renewable');
    token.endsAt = Math.min(now() + token.ttl * 1_000, token.maxEndsAt ?? Number.POSITIVE_INFINITY);
    const lease = Math.max(0, Math.floor((token.endsAt - now()) / 1_000));
    return told({
      data: null,
      auth: { client_token: id, accessor: 'an-accessor', policies: ['default'], token_policies: ['default'], metadata: null, lease_duration: lease, renewable: true, entity_id: '', token_type: 'service', orphan: true, mfa_requirement: null, num_uses: 0 },
    });
  }

  function told(parts: object, status = 200): VaultAnswer {
    const body = { request_id: REQUEST_ID, lease_id: '', renewable: false, lease_duration: contract.leaseDuration, data: null, wrap_info: null, warnings: null, auth: null, mount_type: 'kv', ...parts };
    return { status, headers: JSON_TYPE, body: `${JSON.stringify(body)}\n` };
  }

  function add(key: string, data: Readonly<Record<string, unknown>>, deletion: number | null): void {
    secrets.set(key, [...(secrets.get(key) ?? []), { data, created: now(), deletion, destroyed: false }]);
  }

  const contract: VaultContract = {
    answer,
    token: (id, { ttl = 0, renewable = false, paths, maxTtl } = {}) =>
      void tokens.set(id, { endsAt: ttl === 0 ? null : now() + ttl * 1_000, ttl, period: false, renewable, paths: paths ?? null, maxEndsAt: maxTtl === undefined ? null : now() + maxTtl * 1_000 }),
    revoke: (id) => void tokens.delete(id),
    put: (place, data, { namespace, deleteAfter } = {}) => add(keyOf(place, namespace), data, deleteAfter === undefined ? null : now() + deleteAfter * 1_000),
    remove: (place) => {
      const version = secrets.get(keyOf(place))?.at(-1);
      if (version !== undefined) version.deletion = now();
    },
    destroy: (place) => {
      const version = secrets.get(keyOf(place))?.at(-1);
      if (version !== undefined) version.destroyed = true;
    },
    sealed: false,
    standbyOf: null,
    leaseDuration: 0,
  };
  return contract;
}

function keyOf(place: string, namespace?: string): string {
  return `${namespace ?? ''} ${place}`;
}

/** Go prints nanoseconds. */
function nanos(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000000Z');
}

function errors(status: number, ...list: readonly string[]): VaultAnswer {
  return { status, headers: JSON_TYPE, body: `${JSON.stringify({ errors: list })}\n` };
}
