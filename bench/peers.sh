#!/bin/sh
# The same ring-0 images in Mmu86, QEMU (TCG) and Bochs, side by side: CPU seconds, ratios, geometric means, as Markdown.
#
#   bench/peers.sh [--quick] [--rounds N] [--guests a,b,c] [--timeout SECONDS]
#
# Installs Debian's bochs and qemu-system-x86 where they are absent, which needs root. What is measured: bench/README.md.
set -eu
cd "$(dirname "$0")/.."

if ! command -v qemu-system-x86_64 >/dev/null || ! command -v bochs >/dev/null || [ ! -f /usr/share/bochs/BIOS-bochs-latest ]; then
    if [ "$(id -u)" != 0 ]; then
        echo "peers.sh: bochs or qemu-system-x86 is not installed, and installing needs root" >&2
        exit 69
    fi
    apt-get update >&2
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends bochs bochsbios vgabios qemu-system-x86 seabios >&2
fi

dotnet build emulator/Mmu86.Cli -c Release --nologo -v quiet -clp:NoSummary >&2
dotnet build bench/Mmu86.Bench -c Release --nologo -v quiet -clp:NoSummary >&2
dpkg-query -W -f '${Package} ${Version}\n' bochs qemu-system-x86 2>/dev/null || true
exec dotnet run -c Release --no-build --project bench/Mmu86.Bench -- \
    peers --mmu86 emulator/Mmu86.Cli/bin/Release/net10.0/mmu86 "$@"
