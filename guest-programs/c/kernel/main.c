/* A small kernel whose memory is under pressure from two sides: from its own program, and from the host that wants some of it back. */
#include "kernel.h"

static const u64 FileBase = 1UL << 39, MemoryBase = 2UL << 39;
static const char *const names[WORKLOADS] = { "random", "sequential", "skewed", "file" };

__asm__(".globl _start\n"
        ".type _start, @function\n"
        "_start:\n"
        "    lea stack_top(%rip), %rsp\n"
        "    xor %ebp, %ebp\n"
        "    call start\n"
        ".local stack\n"
        ".comm stack, 16384, 16\n"
        ".set stack_top, stack + 16384\n");

static u64 busy_ticks;

static void touch_all(void)
{
    for (u64 page = 0; page < memory_region.pages; page++)
        *(volatile u64 *)(memory_region.base + page * PAGE_BYTES);
}

/* Busy and idle in turn. Without BUSY there is one busy phase, without IDLE no idle one. */
static void run_phases(void)
{
    u64 operations = guest_parameters[OPERATIONS], busy = guest_parameters[BUSY], idle = guest_parameters[IDLE];
    u64 done = 0;
    while (done < operations) {
        u64 start = ticks;
        while (done < operations && (busy == 0 || ticks < start + busy))
            operate(done++);
        busy_ticks += ticks - start;
        idle_until(ticks + idle);
    }
}

static void tell_events(void)
{
    const struct { const char *name; u64 count; } lines[] = {
        { "memory-kernel: milliseconds ", ticks }, { ", busy ", busy_ticks }, { ", page faults ", events.faults }, { ", pages filled ", events.filled },
        { ", read ", events.read }, { ", written ", events.written }, { ", dropped ", events.dropped },
        { ", reported free ", events.reported }, { ", in the balloon ", balloon_pages() }, { ", relieved by it ", events.relieved },
    };
    for (u64 i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        debug_print(lines[i].name);
        debug_number(lines[i].count);
    }
    debug_print("\n");
}

__attribute__((used)) static _Noreturn void start(u64 memory_bytes)
{
    frames_start(memory_bytes);
    paging_start(memory_bytes);
    processor_start();
    disk_start();
    balloon_start();
    region_make(&file_region, FileBase, guest_parameters[WORKLOAD] == FILE_READER ? guest_parameters[FILE_PAGES] : 0);
    region_make(&memory_region, MemoryBase, guest_parameters[PAGES]);
    frames_open();
    file_create();

    /* The program begins: interrupts come at any time, and the balloon with them. */
    in_kernel = 0;
    __asm__ volatile("sti" ::: "memory");
    touch_all();
    idle_until(ticks + guest_parameters[IDLE]);
    measured_begin();
    run_phases();
    measured_end();
    u64 checksum = memory_checksum();
    __asm__ volatile("cli" ::: "memory");

    print("memory-kernel ");
    print(names[guest_parameters[WORKLOAD]]);
    print(": ");
    print_number(guest_parameters[PAGES]);
    print(" pages, ");
    print_number(guest_parameters[OPERATIONS]);
    print(" operations, seen ");
    print_number(words_seen());
    print(", checksum ");
    print_number(checksum);
    print("\n");
    tell_events();
    stop(STATUS_SUCCESS);
}
