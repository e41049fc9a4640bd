/* Where frames come from when none is free: the file's pages first, then memory's, each by a clock over the accessed flags. */
#include "kernel.h"

enum { BATCH = 16, KEEP_FREE = 16 };

/* Takes a page out. Its frame is free once the disk has it. Returns 0 where the page must stay: it has changed, and the disk has no place for it. */
static u64 evict(struct region *region, u64 page)
{
    u64 *entry = &region->entries[page], old = *entry, frame = (old & 0xFFFFFFFFFF000) / PAGE_BYTES, place = region->first_place + page;
    if ((old & DIRTY) != 0 && place >= disk_places())
        return 0;

    *entry = old & DIRTY ? HAS_COPY : old & HAS_COPY;
    invalidate_page(region->base + page * PAGE_BYTES);
    region->resident--;
    if (old & DIRTY) {
        disk_write_later(place, frame);
        events.written++;
    } else {
        events.dropped++;
    }
    return frame;
}

static u64 reclaim_from(struct region *region, u64 wanted)
{
    u64 frames[BATCH], count = 0;

    /* The first time round clears accessed flags, so the second finds whatever may go. */
    for (u64 steps = 2 * region->pages; steps > 0 && count < wanted && count < BATCH && region->resident > 0; steps--) {
        u64 page = region->hand;
        region->hand = page + 1 < region->pages ? page + 1 : 0;
        u64 entry = region->entries[page];
        if ((entry & PRESENT) == 0)
            continue;
        if (entry & ACCESSED) {
            region->entries[page] = entry & ~(u64)ACCESSED;
            invalidate_page(region->base + page * PAGE_BYTES);
            continue;
        }
        u64 frame = evict(region, page);
        if (frame != 0)
            frames[count++] = frame;
    }

    disk_finish();
    for (u64 i = 0; i < count; i++)
        frame_give(frames[i]);
    return count;
}

/* Makes at most so many frames free, and says how many it made. 0 means that nothing can be taken. */
u64 reclaim(u64 wanted)
{
    u64 count = reclaim_from(&file_region, wanted);
    return count > 0 ? count : reclaim_from(&memory_region, wanted);
}

u64 frame_take(void)
{
    while (frames_free() < KEEP_FREE && reclaim(BATCH) > 0)
        ;
    while (frames_free() == 0) {
        if (!balloon_relieve()) {
            print("memory-kernel: out of memory\n");
            stop(STATUS_NO_MEMORY);
        }
    }
    return frame_take_free();
}
