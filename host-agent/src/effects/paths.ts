// SPDX-License-Identifier: Apache-2.0

/** Where everything lies. The product's root is ''; the native tests start the same roles under a folder of their own. */
export type Paths = ReturnType<typeof pathsUnder>;

export function pathsUnder(root: string) {
  return {
    /** holdfast-declare writes these (root, 0644); holdfastd and the runners read them. */
    declaredAgents: `${root}/run/holdfast/declared/agents.json`,
    declaredOperators: `${root}/run/holdfast/declared/operators.json`,
    declaredSettings: `${root}/run/holdfast/declared/settings.json`,
    /** Settings of the machine: the image's, and the operators' in a folder that holdfastd can write. */
    imageSettings: `${root}/usr/lib/holdfast/settings.yaml`,
    operatorSettings: `${root}/var/lib/holdfast/settings/settings.yaml`,
    /** What two services were told by their environments, for holdfastd to show. */
    egressSettings: `${root}/run/holdfast-egress/settings.json`,
    secretSettings: `${root}/run/holdfast-secrets/settings.json`,
    /** Layers of agent files, weakest first. The image's /etc cannot be written, so the operators' layer lies in /var. */
    agentLayers: [`${root}/usr/lib/holdfast/agents.d`, `${root}/run/holdfast/agents.d`, `${root}/var/lib/holdfast/agents.d`],
    operatorAgentLayer: `${root}/var/lib/holdfast/agents.d`,
    types: `${root}/usr/lib/holdfast/types`,
    /** Root's own state: which agent name has which slot (kept for ever). */
    slots: `${root}/var/lib/holdfast-declare/slots.json`,
    units: `${root}/run/systemd/system`,
    workspaces: `${root}/var/lib/holdfast-workspaces`,
    /** A folder for each agent, its own uid's: in no unit but its runner's, in no call but Holdfast's own (R108). */
    restorePoints: `${root}/var/lib/holdfast-restore`,
    /** A folder for each agent, its uid's and holdfastd's: what an operator puts in or gets passes through it (R109). */
    transfers: `${root}/var/lib/holdfast-transfer`,
    /** A folder for each agent, holdfastd's: container images that operators brought in for it, by digest. In `new`, its uid's, they are made. */
    images: `${root}/var/lib/holdfast-images`,
    /** What the runner of containers sees of them. */
    imagesHere: `${root}/run/holdfast-images`,
    /** What open shells showed, a folder for each agent; holdfastd's alone. */
    transcripts: `${root}/var/lib/holdfast-shells`,
    /** Which directories of /etc agents may be granted to change (DESIGN: an allow-list, each a mount of its own). */
    etcDirectories: `${root}/usr/lib/holdfast/etc.d`,
    agentDoors: `${root}/run/holdfast/agents`,
    /** What claimed this machine: root only, on the partition that the initrd mounts. */
    safe: `${root}/run/holdfast-safe`,
    seedResult: `${root}/run/holdfast/declared/seed.json`,
    userRecords: `${root}/run/userdb`,
    sshKeys: `${root}/run/ssh-keys`,
    dmiEntries: `${root}/sys/firmware/dmi/entries`,
    operatorSocket: `${root}/run/holdfast/operator.sock`,
    runnerSockets: `${root}/run/holdfast/runners`,
    /** Which receipts each runner has used: outlives the runner, not the boot. */
    runnerRuntime: `${root}/run/holdfast-runner`,
    /** What holdfastd must remember over its own restart, and no longer than a boot: grants, and which agents it has started. */
    daemonRuntime: `${root}/run/holdfastd`,
    containersRuntime: `${root}/run/holdfast-containers`,
    /** How far holdfast-watch has come, for its own restart and for the posture. */
    watchState: `${root}/run/holdfast-watch/state.json`,
    /** Where the image keeps its AppArmor profiles, one a file of the same name. */
    profiles: `${root}/etc/apparmor.d`,
    ledgerState: `${root}/var/lib/holdfast-ledger`,
    ledgerAppendSocket: `${root}/run/holdfast-ledger/append.sock`,
    ledgerQuerySocket: `${root}/run/holdfast-ledger/query.sock`,
    receiptKey: `${root}/run/holdfast-ledger/receipt.pub`,
    /** holdfast-secretd: operators speak to it themselves, holdfast-egress for a value, holdfastd and the ledger to have text redacted. */
    secretOperatorSocket: `${root}/run/holdfast-secretd/operator.sock`,
    secretUseSocket: `${root}/run/holdfast-secretd/use.sock`,
    /** Where runners take a value for one call (`secret:read`): in a folder of its own, for it is all that they see of holdfast-secretd. */
    secretCallSocket: `${root}/run/holdfast-secret-call/call.sock`,
    secretRedactSocket: `${root}/run/holdfast-secretd/redact.sock`,
    /** What is bound to whom, without a value: 0644, in a folder of its own that systemd makes and everybody may enter. */
    secretBindings: `${root}/run/holdfast-secrets/bindings.json`,
    /** The places of sources of secrets, for holdfast-egress: 0644, in a folder of its own; and the addresses among them, for the firewall. */
    secretSources: `${root}/run/holdfast-sources/sources.json`,
    secretSourceAddresses: `${root}/run/holdfast-sources/addresses`,
    /** The encrypted store as the early loader found it (root puts it there, secretd takes it away), and as secretd wants it kept. */
    secretStoreIn: `${root}/run/holdfast-secret-store/in`,
    secretStoreOut: `${root}/run/holdfast-secret-store/out`,
    /** Which receipts secretd has handed a value out for: outlives it, not the boot. */
    secretRuntime: `${root}/run/holdfast-secret`,
    /** Where systemd puts what it was told to load for a unit. */
    credentials: `${root}/run/credentials`,
    /** holdfastd judges each way out for holdfast-egress. */
    egressDoorSocket: `${root}/run/holdfast/egress.sock`,
    /** holdfastd has a request made for `net.fetch`. */
    egressFetchSocket: `${root}/run/holdfast-egress/fetch.sock`,
    /** holdfast-secretd has a way opened to one of its sources. */
    egressSourceSocket: `${root}/run/holdfast-egress/sources/sources.sock`,
    /** A socket for each agent, NAME.sock: what its relay connects to. */
    egressAgentSockets: `${root}/run/holdfast-egress/agents`,
    /** Its own: the authority of this boot with its key, and which receipts were used. */
    egressAuthority: `${root}/run/holdfast-egress/own`,
    /** The certificates that programs of agents trust: ours alone, and ours with the public ones. */
    egressTrust: `${root}/run/holdfast-egress-trust`,
    /** Certificates of further authorities that an operator had egress trust. */
    egressExtraRoots: `${root}/var/lib/holdfast-egress/extra-roots.pem`,
    /** What each agent has spent, for the limits that outlive a restart. */
    usage: `${root}/var/lib/holdfast-usage`,
    /** What the kernel says of AppArmor, and the profiles as they were compiled for this image. */
    appArmor: `${root}/sys/kernel/security/apparmor`,
    builtProfiles: `${root}/usr/lib/holdfast/apparmor-cache`,
    /** The programs of the image, all under verity. */
    programs: `${root}/usr/lib/holdfast`,
  };
}
