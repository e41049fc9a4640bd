/*
 * The balloon. Frames that the host wants are free ones first; then reclaim.c finds more, the file's pages before memory's. The target is
 * looked at every millisecond and when a device interrupts, and each time some steps are made towards it.
 */
#include "virtio.h"

enum { BALLOON_DEVICE = 0x10021AF4 };
enum { MUST_TELL_HOST = 1 << 0, STATISTICS = 1 << 1, DEFLATE_ON_OOM = 1 << 2, REPORTING = 1 << 5 };
enum { TARGET = DEVICE_CONFIGURATION, ACTUAL = DEVICE_CONFIGURATION + 4 };
enum { CHAIN = 256, STEPS = 4, KEEP_FREE = 64 };
enum { HOLD_OFF = TICKS_PER_SECOND / 10, HOLD_OFF_AFTER_RELIEF = TICKS_PER_SECOND };
enum { RANGES = 32, FRAMES_PER_LARGE_PAGE = 512, LEAST_TO_REPORT = 512 };

struct statistic { u16 tag; u64 value; } __attribute__((packed));

static struct virtio_device device = { .name = "the balloon" };
static struct queue inflate_queue, deflate_queue, statistics_queue, reporting_queue;
static int is_present;
static u32 frames[CHAIN];
static struct statistic statistics[8];
static u32 held;
static u64 held_count, hold_off_until;

static void offer_statistics(void)
{
    const u64 values[] = {
        events.read * PAGE_BYTES, events.written * PAGE_BYTES, events.read, events.faults - events.read,
        frames_free() * PAGE_BYTES, (frames_total() - held_count) * PAGE_BYTES, (frames_free() + file_region.resident) * PAGE_BYTES,
        file_region.resident * PAGE_BYTES,
    };
    for (u16 i = 0; i < sizeof values / sizeof values[0]; i++)
        statistics[i] = (struct statistic){ i, values[i] };
    statistics_queue.descriptors[0] = (struct descriptor){ (u64)statistics, sizeof statistics, 0, 0 };
    queue_offer(&statistics_queue, 0);
    queue_notify(&statistics_queue);
}

void balloon_start(void)
{
    is_present = virtio_start(&device, BALLOON_DEVICE, MUST_TELL_HOST | STATISTICS | DEFLATE_ON_OOM | REPORTING);
    if (!is_present)
        return;
    virtio_add_queue(&device, &inflate_queue, 0);
    virtio_add_queue(&device, &deflate_queue, 1);
    if (device.features & STATISTICS)
        virtio_add_queue(&device, &statistics_queue, 2);
    if (device.features & REPORTING)
        virtio_add_queue(&device, &reporting_queue, device.features & STATISTICS ? 3 : 2);
    virtio_run(&device);
    if (device.features & STATISTICS)
        offer_statistics();
}

u64 balloon_pages(void)
{
    return held_count;
}

static void tell(struct queue *queue, u64 count)
{
    queue->descriptors[0] = (struct descriptor){ (u64)frames, (u32)(count * sizeof frames[0]), 0, 0 };
    queue_offer(queue, 0);
    queue_notify(queue);
    queue_wait(queue);
    out32(device.ports + ACTUAL, (u32)held_count);
}

/* Returns 0 where there is nothing to give. */
static int inflate(u64 wanted)
{
    u64 count = 0;
    while (count < wanted && count < CHAIN) {
        if (frames_free() <= KEEP_FREE && reclaim(wanted - count) == 0)
            break;
        u64 frame = frame_take_free();
        list_push(&held, frame);
        frames[count++] = (u32)frame;
    }
    held_count += count;
    if (count > 0)
        tell(&inflate_queue, count);
    return count > 0;
}

/* The host hears of it before the frames are used again. */
static void deflate(u64 wanted)
{
    u64 count = 0;
    while (count < wanted && count < CHAIN && held != 0)
        frames[count++] = (u32)list_pop(&held);
    held_count -= count;
    tell(&deflate_queue, count);
    for (u64 i = 0; i < count; i++)
        frame_give(frames[i]);
}

/* For the kernel that finds no frame anywhere else, where the host has allowed it. */
int balloon_relieve(void)
{
    if (held_count == 0 || (device.features & DEFLATE_ON_OOM) == 0)
        return 0;
    deflate(CHAIN);
    events.relieved++;
    hold_off_until = ticks + HOLD_OFF_AFTER_RELIEF;
    return 1;
}

/*
 * Tells the host of free frames that it may take back until they are written again. Some stay unreported for whoever wants one soon. A range
 * ends with its 2 MiB, so that a whole large page of the host is given back in one piece.
 */
static void report_free_frames(void)
{
    u64 first[RANGES], length[RANGES], ranges = 0;
    while (frames_unreported() > KEEP_FREE) {
        u64 frame = frame_take_unreported();
        if (ranges > 0 && frame == first[ranges - 1] + length[ranges - 1] && frame % FRAMES_PER_LARGE_PAGE != 0) {
            length[ranges - 1]++;
            continue;
        }
        if (ranges == RANGES || ranges == reporting_queue.size) {
            frame_give(frame);
            break;
        }
        first[ranges] = frame;
        length[ranges++] = 1;
    }

    for (u64 i = 0; i < ranges; i++) {
        u16 flags = DESCRIPTOR_DEVICE_WRITES | (i + 1 < ranges ? DESCRIPTOR_NEXT : 0);
        reporting_queue.descriptors[i] = (struct descriptor){ first[i] * PAGE_BYTES, (u32)(length[i] * PAGE_BYTES), flags, (u16)(i + 1) };
    }
    queue_offer(&reporting_queue, 0);
    queue_notify(&reporting_queue);
    queue_wait(&reporting_queue);
    for (u64 i = ranges; i-- > 0;) {
        events.reported += length[i];
        for (u64 frame = first[i] + length[i]; frame-- > first[i];)
            frame_give_reported(frame);
    }
}

/* At every tick, when the kernel does nothing else. */
void balloon_task(void)
{
    if (!is_present)
        return;
    u64 target = in32(device.ports + TARGET);
    for (int step = 0; step < STEPS && target != held_count; step++) {
        if (target < held_count) {
            deflate(held_count - target);
        } else if (ticks < hold_off_until || !inflate(target - held_count)) {
            if (ticks >= hold_off_until)
                hold_off_until = ticks + HOLD_OFF;
            break;
        }
    }
    if ((device.features & STATISTICS) != 0 && queue_take(&statistics_queue))
        offer_statistics();
    if ((device.features & REPORTING) != 0 && frames_unreported() >= LEAST_TO_REPORT)
        report_free_frames();
}
