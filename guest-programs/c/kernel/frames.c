/*
 * Which frames are free. Lists are threaded through an array beside the frames: a free frame is not touched, for the host may have none
 * behind it. Free frames that the host was told of are given out last, because the host must find new ones for them.
 */
#include "kernel.h"

enum { LEAST_ADDRESS = 0x100000, LEAST_MEMORY = 8 << 20 };
static const u64 MostMemory = 3UL << 30; /* the hole for devices; what lies above it is left alone */

extern char _start[], text_end[], data[], data_end[], image_end[];

static u64 memory_end, boot_next;
static u32 *links;
static u32 unreported, reported;
static u64 unreported_count, reported_count, total;

void frames_start(u64 memory_bytes)
{
    if (memory_bytes < LEAST_MEMORY)
        fail_with("the memory is too small for this kernel, bytes: ", memory_bytes);
    memory_end = memory_bytes < MostMemory ? memory_bytes & ~(u64)(PAGE_BYTES - 1) : MostMemory;
    boot_next = (u64)image_end;
    links = boot_take(memory_end / PAGE_BYTES * sizeof *links / PAGE_BYTES + 1);
}

/* Zeroed memory in one piece that is never given back, while there is nothing else yet. */
void *boot_take(u64 pages)
{
    if (pages > (memory_end - boot_next) / PAGE_BYTES) {
        print("memory-kernel: the memory is too small for the page tables of these parameters\n");
        stop(STATUS_NO_MEMORY);
    }
    char *result = (char *)boot_next;
    boot_next += pages * PAGE_BYTES;
    for (u64 i = 0; i < pages; i++)
        clear_page(result + i * PAGE_BYTES);
    return result;
}

/* Last first, so that frames are given out by their addresses. */
static void open_range(u64 start, u64 end)
{
    start = (start + PAGE_BYTES - 1) / PAGE_BYTES;
    for (u64 frame = end / PAGE_BYTES; frame-- > start; total++)
        frame_give(frame);
}

void frames_open(void)
{
    open_range(boot_next, memory_end);
    open_range((u64)data_end, (u64)data_end + (0x200000 - (u64)data_end % 0x200000));
    open_range((u64)text_end, (u64)data);
    open_range(LEAST_ADDRESS, 0x200000);
}

void list_push(u32 *head, u64 frame)
{
    links[frame] = *head;
    *head = (u32)frame;
}

u64 list_pop(u32 *head)
{
    u64 frame = *head;
    if (frame != 0)
        *head = links[frame];
    return frame;
}

u64 frame_take_unreported(void)
{
    u64 frame = list_pop(&unreported);
    unreported_count -= frame != 0;
    return frame;
}

u64 frame_take_free(void)
{
    u64 frame = frame_take_unreported();
    if (frame == 0) {
        frame = list_pop(&reported);
        reported_count -= frame != 0;
    }
    return frame;
}

void frame_give(u64 frame)
{
    list_push(&unreported, frame);
    unreported_count++;
}

void frame_give_reported(u64 frame)
{
    list_push(&reported, frame);
    reported_count++;
}

u64 frames_unreported(void)
{
    return unreported_count;
}

u64 frames_free(void)
{
    return unreported_count + reported_count;
}

u64 frames_total(void)
{
    return total;
}
