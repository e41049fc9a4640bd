/* A virtio block device by pages. Writes are collected, so that the device has many at a time. */
#include "virtio.h"

enum { BLOCK_DEVICE = 0x10011AF4, READ_ONLY = 1 << 5, SECTORS_PER_PAGE = PAGE_BYTES / 512 };
enum { REQUEST_READ = 0, REQUEST_WRITE = 1, PARTS = 3, MOST_REQUESTS = 32, STATUS_NOT_SET = 0xFF };

struct request {
    u32 type, reserved;
    u64 sector;
    volatile u8 status; /* written by the device, as a buffer of its own */
};

static struct virtio_device device = { .name = "the disk" };
static struct queue queue;
static struct request requests[MOST_REQUESTS];
static u64 places, most_requests, request_count;

void disk_start(void)
{
    if (!virtio_start(&device, BLOCK_DEVICE, READ_ONLY))
        return;
    if (device.features & READ_ONLY)
        fail(device.name, " cannot be written");
    virtio_add_queue(&device, &queue, 0);
    most_requests = queue.size / PARTS < MOST_REQUESTS ? queue.size / PARTS : MOST_REQUESTS;
    if (most_requests == 0)
        fail(device.name, " has a queue that is too short");
    u64 sectors = in32(device.ports + DEVICE_CONFIGURATION) | (u64)in32(device.ports + DEVICE_CONFIGURATION + 4) << 32;
    places = sectors / SECTORS_PER_PAGE;
    virtio_run(&device);
}

/* How many pages it holds; 0 where there is no disk. */
u64 disk_places(void)
{
    return places;
}

static void submit(u32 type, u64 place, u64 frame)
{
    if (request_count == most_requests)
        disk_finish();
    struct request *request = &requests[request_count];
    struct descriptor *parts = &queue.descriptors[request_count * PARTS];
    u16 head = (u16)(request_count++ * PARTS), data_flags = type == REQUEST_READ ? DESCRIPTOR_DEVICE_WRITES : 0;
    *request = (struct request){ .type = type, .sector = place * SECTORS_PER_PAGE, .status = STATUS_NOT_SET };
    parts[0] = (struct descriptor){ (u64)request, 16, DESCRIPTOR_NEXT, head + 1 };
    parts[1] = (struct descriptor){ frame * PAGE_BYTES, PAGE_BYTES, DESCRIPTOR_NEXT | data_flags, head + 2 };
    parts[2] = (struct descriptor){ (u64)&request->status, 1, DESCRIPTOR_DEVICE_WRITES, 0 };
    queue_offer(&queue, head);
}

void disk_read(u64 place, u64 frame)
{
    submit(REQUEST_READ, place, frame);
    disk_finish();
}

/* The frame must stay as it is until disk_finish. */
void disk_write_later(u64 place, u64 frame)
{
    submit(REQUEST_WRITE, place, frame);
}

void disk_finish(void)
{
    if (request_count == 0)
        return;
    queue_notify(&queue);
    queue_wait(&queue);
    for (u64 i = 0; i < request_count; i++) {
        if (requests[i].status != 0)
            fail(device.name, requests[i].type == REQUEST_READ ? " failed to read" : " failed to write");
    }
    request_count = 0;
}
