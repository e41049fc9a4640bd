#!/bin/sh
# What page faults and paging cost in host time: the same guest kernel in Mmu86 and QEMU (TCG), side by side, as Markdown.
#
#   bench/paging.sh [--quick] [--rounds N] [--timeout SECONDS] [--only guest,file,compressed]
#
# Installs Debian's qemu-system-x86 where it is absent. That, memory cgroups and swap need root. What is measured: bench/README.md.
set -eu
cd "$(dirname "$0")/.."

if ! command -v qemu-system-x86_64 >/dev/null; then
    if [ "$(id -u)" != 0 ]; then
        echo "paging.sh: qemu-system-x86 is not installed, and installing needs root" >&2
        exit 69
    fi
    apt-get update >&2
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends qemu-system-x86 seabios >&2
fi

dotnet build emulator/Mmu86.Cli -c Release --nologo -v quiet -clp:NoSummary >&2
dotnet build bench/Mmu86.Bench -c Release --nologo -v quiet -clp:NoSummary >&2
dpkg-query -W -f '${Package} ${Version}\n' qemu-system-x86 2>/dev/null || true
exec dotnet run -c Release --no-build --project bench/Mmu86.Bench -- \
    paging --mmu86 emulator/Mmu86.Cli/bin/Release/net10.0/mmu86 "$@"
