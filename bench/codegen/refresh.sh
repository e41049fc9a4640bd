#!/bin/sh
# Lists the machine code that the JIT makes of hot handlers, into this folder.
#
#   bench/codegen/refresh.sh            writes the listings anew: read what `git diff` says of them
#   bench/codegen/refresh.sh --check    shows how the code of today differs from the listings; status 1 where it does
set -eu
here="$(cd "$(dirname "$0")" && pwd)"
cd "$here/../.."
dotnet build bench/Mmu86.Bench -c Release --nologo -v quiet -clp:NoSummary >&2

list() {
    dotnet run -c Release --no-build --project bench/Mmu86.Bench -- codegen "$1"
}

case "${1:-}" in
    "")
        list "$here"
        ;;
    --check)
        now="$(mktemp -d)"
        trap 'rm -r "$now"' EXIT
        list "$now"
        diff -u --exclude=refresh.sh "$here" "$now"
        ;;
    *)
        echo "refresh.sh: '$1' is not understood" >&2
        exit 64
        ;;
esac
