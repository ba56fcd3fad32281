// SPDX-License-Identifier: Apache-2.0
// Codex, unmodified, with a scripted model; it reaches no other host. Its hands are one MCP server, or its own shell and editor.
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export type CodexRun = { readonly status: number | null; readonly events: readonly CodexEvent[]; readonly output: string };
/** A line of `codex exec --json`: the client's own transcript. */
export type CodexEvent = { readonly type: string; readonly item?: Record<string, unknown> };

export async function runCodex(options: {
  readonly installed: string;
  /** Empty folder for all that Codex keeps and works in. */
  readonly dir: string;
  readonly model: { readonly name: string; readonly url: string };
  /** Lines of its configuration: the MCP servers. */
  readonly servers: string;
  readonly prompt: string;
}): Promise<CodexRun> {
  const { dir, model } = options;
  const home = join(dir, 'home');
  const work = join(dir, 'work');
  for (const folder of [join(home, '.codex'), work]) mkdirSync(folder, { recursive: true });
  writeFileSync(join(home, '.codex/config.toml'), configuration(model, options.servers, 'none'));
  const codex = codexIn(options.installed);
  const child = spawn(codex, ['exec', '--json', '--skip-git-repo-check', '--ephemeral', '-C', work, options.prompt], {
    cwd: work,
    // Port 9 of this machine: what would leave it by mistake gets nowhere.
    env: { PATH: process.env['PATH'], HOME: home, CODEX_HOME: join(home, '.codex'), AGENT_KEY: 'scripted', HTTPS_PROXY: 'http://127.0.0.1:9', NO_PROXY: '127.0.0.1' },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 180_000,
  });
  let output = '';
  let complaint = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString('utf8')));
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
  const lines = output.split('\n').filter((line) => line.startsWith('{'));
  return { status, events: lines.map((line) => JSON.parse(line) as CodexEvent), output: output + complaint };
}

export function codexIn(installed: string): string {
  return join(installed, 'node_modules/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex');
}

/** What it must know of a model to offer it its shell and its editor of files. */
export function modelCatalog(slug: string): object {
  const model = {
    slug, display_name: slug, description: 'follows a script', base_instructions: 'Do what is asked.', visibility: 'list', supported_in_api: true, priority: 1,
    shell_type: 'unified_exec', apply_patch_tool_type: 'freeform', web_search_tool_type: 'text', input_modalities: ['text'], experimental_supported_tools: [],
    supported_reasoning_levels: [], default_reasoning_level: null, supports_reasoning_summaries: false, default_reasoning_summary: 'none',
    support_verbosity: false, default_verbosity: null, supports_parallel_tool_calls: false, supports_image_detail_original: false, supports_search_tool: false,
    truncation_policy: { mode: 'tokens', limit: 10_000 }, context_window: 200_000, max_context_window: 200_000, effective_context_window_percent: 95,
    availability_nux: null, upgrade: null,
  };
  return { models: [model] };
}

const quoted = (text: string) => JSON.stringify(text);

/**
 * Everything that Codex would do besides is off: telemetry, updates, plugins. `hands`: of its own it has none on this machine, or its
 * shell and editor without a sandbox of its own, as in an agent's unit, which is one.
 */
export function configuration(model: { readonly name: string; readonly url: string; readonly catalog?: string }, servers: string, hands: 'none' | 'own'): string {
  return `model = ${quoted(model.name)}
model_provider = "scripted"
${model.catalog === undefined ? '' : `model_catalog_json = ${quoted(model.catalog)}`}
approval_policy = "never"
sandbox_mode = ${hands === 'own' ? '"danger-full-access"' : '"read-only"'}
web_search = "disabled"
check_for_update_on_startup = false
cli_auth_credentials_store = "file"

[analytics]
enabled = false
[feedback]
enabled = false
[otel]
exporter = "none"
metrics_exporter = "none"
trace_exporter = "none"
[history]
persistence = "none"
[features]
plugins = false
remote_plugin = false
apps = false
goals = false
shell_tool = ${hands === 'own'}
shell_snapshot = false
image_generation = false
skill_mcp_dependency_install = false
tool_suggest = false
unbounded_connection_retries = false
[agents]
enabled = false
[skills]
bundled = { enabled = false }

[model_providers.scripted]
name = "scripted"
base_url = ${quoted(model.url)}
wire_api = "responses"
env_key = "AGENT_KEY"
requires_openai_auth = false
supports_websockets = false
request_max_retries = 1
stream_max_retries = 1
stream_idle_timeout_ms = 30000

${servers}`;
}
