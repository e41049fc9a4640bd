#!/bin/sh
# The same guests with native paging, nested tables and shadow tables: what the model counts, as Markdown. No time is measured.
#
#   bench/paging-modes.sh [GUEST ARGS...]        one guest; without words, those of docs/hypervisor/shadow-paging.md
#
# Needs jq. "with exits" prices EPT violations as exits of shadow paging are priced (docs/model/timing.md).
set -eu
cd "$(dirname "$0")/.."
dotnet build emulator/Mmu86.Cli -c Release --nologo -v quiet -clp:NoSummary >&2
mmu86=emulator/Mmu86.Cli/bin/Release/net10.0/mmu86

row() {
    guest=$1
    shift
    for paging in native nested shadow; do
        $mmu86 run "$@" --paging $paging --quiet --json - 2>/dev/null | jq -r --arg guest "$guest" '
            . as $r
            | (.walks.count + .walks.faulted) as $walks
            | (.walks.references + .walks.faultedReferences) as $references
            | (.faults.eptViolations // 0) as $violations
            | (.shadow.exitCount // $violations) as $exits
            | (.cycles + $violations * 2200) as $cycles
            | [$guest, .paging, $walks, (if $walks == 0 then "" else ($references / $walks * 100 | round / 100) end), $exits,
               (.shadow.exits.crWrites // "") , (.shadow.exits.invlpg // ""), (.shadow.exits.hiddenPageFaults // ""), (.shadow.exits.writeProtectFaults // ""), (.shadow.exits.injectedPageFaults // ""),
               (.cycles - (.shadow.cycles // 0)), $cycles, ($cycles / .instructions * 100 | round / 100)]
            | "| " + (map(tostring) | join(" | ")) + " |"' || echo "| $guest | $paging | failed |"
    done
}

echo '| guest | paging | walks | references a walk | exits | CR writes | INVLPG | hidden | tables | injected | cycles | with exits | for an instruction |'
echo '|---|---|---|---|---|---|---|---|---|---|---|---|---|'
if [ $# -gt 0 ]; then
    row "$1" "$@"
    exit
fi

row 'pointer-chase, caches' pointer-chase 4096 2000000
row 'pointer-chase, none' pointer-chase 4096 100000 --machine uncached
row 'gups' gups 16384 1000000
row 'tree' tree
row 'sieve, 2 MiB pages' sieve --guest-page 2m --host-page 2m
row 'kernel-demand-paging' kernel-demand-paging
row 'kernel-two-processes' kernel-two-processes 20000
row 'kernel-page-matrix' kernel-page-matrix 31 --memory 64M
