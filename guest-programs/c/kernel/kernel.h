/* What the files of the kernel tell each other. Memory is mapped to itself, so a frame's address is also the pointer to it. */
#ifndef KERNEL_H
#define KERNEL_H

#include "../guest.h"

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

enum { PAGE_BYTES = 4096, WORDS_PER_PAGE = PAGE_BYTES / 8, TICKS_PER_SECOND = 1000 };

/* console.c */
enum { STATUS_SUCCESS = 0, STATUS_FAILURE = 1, STATUS_NO_MEMORY = 2 };
_Noreturn void stop(u8 status);
_Noreturn void fail(const char *subject, const char *what);
_Noreturn void fail_with(const char *what, u64 number);
void debug_print(const char *text);
void debug_number(u64 number);

/* processor.c. Interrupts are off in the kernel but for wait_for_interrupt. While in_kernel is set, an interrupt does nothing but count. */
extern volatile u64 ticks;
extern volatile int in_kernel;
void processor_start(void);
void listen_to_line(u8 line);
void wait_for_interrupt(void);
void idle_until(u64 tick);
void touch_interruptibly(u64 frame);

/* frames.c. Frames are known by their numbers; 0 is never given out and means none. */
void frames_start(u64 memory_bytes);
void *boot_take(u64 pages);
void frames_open(void);
u64 frame_take_free(void);
void frame_give(u64 frame);
u64 frames_free(void);
u64 frames_total(void);
void list_push(u32 *head, u64 frame);
u64 list_pop(u32 *head);
u64 frame_take_unreported(void);
void frame_give_reported(u64 frame);
u64 frames_unreported(void);

/* paging.c: two regions of linear addresses whose pages come when they are touched. */
struct region {
    u64 base, pages;
    u64 *entries;       /* the page tables, one array */
    u64 first_place;    /* of the disk: page n has place first_place + n */
    u64 hand, resident;
    int is_file;        /* read-only, and content that is lost can be made again */
    int (*fill)(u64 page, u64 *frame); /* writes what a page has at first; says whether that is anything but zeros */
};
enum { PRESENT = 1, WRITABLE = 2, ACCESSED = 1 << 5, DIRTY = 1 << 6, HAS_COPY = 1 << 9 /* on the disk; for software, present or not */ };
enum { LARGE_PAGE = 1 << 7 };
extern struct region file_region, memory_region;
void paging_start(u64 memory_bytes);
void region_make(struct region *region, u64 base, u64 pages);
void file_create(void);
void page_fault(u64 address, u64 error, u64 instruction);
static inline void invalidate_page(u64 address) { __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory"); }

/* reclaim.c */
u64 frame_take(void);
u64 reclaim(u64 wanted);

/* disk.c: a virtio block device where there is one. A place is a page of it. */
void disk_start(void);
u64 disk_places(void);
void disk_read(u64 place, u64 frame);
void disk_write_later(u64 place, u64 frame);
void disk_finish(void);

/* balloon.c: a virtio balloon where there is one. */
void balloon_start(void);
void balloon_task(void);
int balloon_relieve(void);
u64 balloon_pages(void);

/* workload.c and content.c */
int fill_memory_page(u64 page, u64 *frame);
int fill_file_page(u64 page, u64 *frame);
int is_private(u64 page);
void operate(u64 number);
u64 words_seen(void);
u64 memory_checksum(void);

/* What happened, for the statistics queue and the debug console; none of it is in the guest's output. */
extern struct events { u64 faults, filled, read, written, dropped, reported, relieved; } events;

/* The parameters, by their places in guest_parameters; MemoryKernelGuest.cs has the same order. */
enum { WORKLOAD, PAGES, OPERATIONS, BUSY, IDLE, SEED, IMAGE_PERCENT, ZERO_PERCENT, FILE_PAGES };
enum { RANDOM, SEQUENTIAL, SKEWED, FILE_READER, WORKLOADS };

static inline void out8(u16 port, u8 value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory"); }
static inline void out16(u16 port, u16 value) { __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory"); }
static inline void out32(u16 port, u32 value) { __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory"); }

static inline u8 in8(u16 port)
{
    u8 value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline u16 in16(u16 port)
{
    u16 value;
    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline u32 in32(u16 port)
{
    u32 value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline void clear_page(void *page)
{
    u64 count = WORDS_PER_PAGE;
    __asm__ volatile("rep stosq" : "+D"(page), "+c"(count) : "a"(0UL) : "memory");
}

#endif
