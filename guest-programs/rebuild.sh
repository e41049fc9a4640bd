#!/usr/bin/env bash
# Builds the guests in C and compares them with the prebuilt images by the hashes in prebuilt/manifest.txt.
#   rebuild.sh            says for each image whether it is the same; status 1 where one differs
#   rebuild.sh --update   replaces the images and the manifest
# The images are the same to the byte with the compiler and linker that the manifest names; others may differ.
set -euo pipefail
cd "$(dirname "$0")"

guests="tree heapsort"
compile="-std=gnu11 -Os -Wall -Wextra -Werror -ffreestanding -fno-pic -fno-stack-protector -fno-asynchronous-unwind-tables
    -fcf-protection=none -fno-ident -fno-tree-loop-distribute-patterns -march=x86-64 -mtune=generic -mgeneral-regs-only -mno-red-zone"
link="-nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,max-page-size=4096"
layout="-Wl,-T,c/guest.ld"

# The interrupt handlers of the kernel are functions, which needs -mgeneral-regs-only; its parameters are MemoryKernelGuest.cs's.
kernel="-DPARAMETERS=9 -Wl,-T,c/kernel/kernel.ld"

output=$(mktemp -d)
trap 'rm -rf "$output"' EXIT

for guest in $guests; do
    # shellcheck disable=SC2086 # options are words
    gcc $compile $link $layout -Wl,--defsym,BASE=0x400000 -o "$output/$guest.elf" "c/$guest.c" c/common.c c/start_linux.c
    # shellcheck disable=SC2086
    gcc $compile $link $layout -Wl,--defsym,BASE=0x200000 -o "$output/$guest.bare.elf" "c/$guest.c" c/common.c c/start_bare.c
done

# shellcheck disable=SC2086
gcc $compile $link $kernel -Wl,--defsym,BASE=0x200000 -o "$output/memory-kernel.bare.elf" c/kernel/*.c c/common.c

# EI_OSABI 255, standalone: what tells a ring-0 image.
for image in "$output"/*.bare.elf; do
    printf '\377' | dd of="$image" bs=1 seek=7 conv=notrunc status=none
done

tools() {
    printf '# gcc: %s\n' "$(gcc --version | head -n 1)"
    printf '# ld: %s\n' "$(ld --version | head -n 1)"
}

if [ "${1:-}" = --update ]; then
    mkdir -p prebuilt
    install -m 644 "$output"/*.elf prebuilt/
    tools > prebuilt/manifest.txt
    (cd "$output" && sha256sum -- *.elf) >> prebuilt/manifest.txt
    echo "prebuilt images and manifest replaced"
    exit 0
fi

if [ "$(grep '^#' prebuilt/manifest.txt)" != "$(tools)" ]; then
    echo "note: the manifest was made with other tools:"
    grep '^#' prebuilt/manifest.txt
fi
status=0
while read -r expected file; do
    found=$(sha256sum "$output/$file" | cut -d ' ' -f 1)
    stored=$(sha256sum "prebuilt/$file" | cut -d ' ' -f 1)
    if [ "$stored" != "$expected" ]; then
        echo "$file: the prebuilt image is not the manifest's"
        status=1
    elif [ "$found" = "$expected" ]; then
        echo "$file: same"
    else
        echo "$file: differs"
        status=1
    fi
done < <(grep -v '^#' prebuilt/manifest.txt)
exit $status
