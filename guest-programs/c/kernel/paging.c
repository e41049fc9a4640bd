/* The kernel's page tables, and the pages that come when they are touched. */
#include "kernel.h"

enum { ENTRIES = 512, LARGE_PAGE_SHIFT = 21 };

struct region file_region = { .is_file = 1, .fill = fill_file_page }, memory_region = { .fill = fill_memory_page };
struct events events;

static u64 *root;
static u64 next_place;

/* Memory is mapped to itself by pages of 2 MiB. */
void paging_start(u64 memory_bytes)
{
    u64 directories = 4;
    root = boot_take(2 + directories);
    u64 *pointers = root + ENTRIES, *directory = pointers + ENTRIES;
    root[0] = (u64)pointers | PRESENT | WRITABLE;
    for (u64 i = 0; i < directories; i++)
        pointers[i] = (u64)(directory + i * ENTRIES) | PRESENT | WRITABLE;
    for (u64 i = 0; i << LARGE_PAGE_SHIFT < memory_bytes && i < directories * ENTRIES; i++)
        directory[i] = i << LARGE_PAGE_SHIFT | PRESENT | WRITABLE | LARGE_PAGE;
    __asm__ volatile("mov %0, %%cr3\n"
                     "mov %%cr0, %%rax\n"
                     "or $0x10000, %%rax\n" /* CR0.WP: the file is read-only for the kernel too */
                     "mov %%rax, %%cr0\n"
                     :
                     : "r"(root)
                     : "rax", "memory");
}

/* All tables of a region are there from the start, as one array: a page fault takes a frame and nothing else. */
void region_make(struct region *region, u64 base, u64 pages)
{
    u64 tables = (pages + ENTRIES - 1) / ENTRIES, directories = (tables + ENTRIES - 1) / ENTRIES;
    region->base = base;
    region->pages = pages;
    region->first_place = next_place;
    next_place += pages;
    region->entries = boot_take(tables);
    u64 *directory = boot_take(directories), *pointers = boot_take(1);
    for (u64 i = 0; i < tables; i++)
        directory[i] = (u64)(region->entries + i * ENTRIES) | PRESENT | WRITABLE;
    for (u64 i = 0; i < directories; i++)
        pointers[i] = (u64)(directory + i * ENTRIES) | PRESENT | WRITABLE;
    root[base >> 39] = (u64)pointers | PRESENT | WRITABLE;
}

/* The file is on the disk as far as the disk reaches; the rest of it is made again whenever it is wanted. */
void file_create(void)
{
    u64 places = disk_places(), pages = file_region.pages < places ? file_region.pages : places;
    enum { BATCH = 16 };
    u64 frames[BATCH];
    for (u64 page = 0; page < pages; page += BATCH) {
        u64 count = pages - page < BATCH ? pages - page : BATCH;
        for (u64 i = 0; i < count; i++) {
            frames[i] = frame_take();
            fill_file_page(page + i, (u64 *)(frames[i] * PAGE_BYTES));
            disk_write_later(file_region.first_place + page + i, frames[i]);
            file_region.entries[page + i] = HAS_COPY;
        }
        disk_finish();
        for (u64 i = 0; i < count; i++)
            frame_give(frames[i]);
    }
}

static int contains(const struct region *region, u64 address)
{
    return address - region->base < region->pages * PAGE_BYTES;
}

void page_fault(u64 address, u64 error, u64 instruction)
{
    struct region *region = contains(&memory_region, address) ? &memory_region : &file_region;
    if (!contains(region, address) || (error & PRESENT) != 0) {
        print("memory-kernel: page fault at ");
        print_number(address);
        fail_with(" by the instruction at ", instruction);
    }

    events.faults++;
    u64 page = (address - region->base) / PAGE_BYTES, frame = frame_take();
    touch_interruptibly(frame);
    u64 *entry = &region->entries[page];
    u64 flags = PRESENT | ACCESSED | (region->is_file ? 0 : WRITABLE) | (*entry & HAS_COPY);
    if (*entry & HAS_COPY) {
        disk_read(region->first_place + page, frame);
        events.read++;
    } else {
        /* What a program wrote there when it began; only zeros, and what is in a file anyway, can be had again without the disk. */
        int has_content = region->fill(page, (u64 *)(frame * PAGE_BYTES));
        flags |= has_content && !region->is_file ? DIRTY : 0;
        events.filled++;
    }
    *entry = frame * PAGE_BYTES | flags;
    region->resident++;
}
