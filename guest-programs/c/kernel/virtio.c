/* Starting a virtio device, and its rings. What a device says is checked: one that breaks the rules ends the guest in words. */
#include "virtio.h"

enum { DEVICE_FEATURES = 0, DRIVER_FEATURES = 4, QUEUE_FRAME = 8, QUEUE_SIZE = 12, QUEUE_SELECT = 14, QUEUE_NOTIFY = 16, STATUS = 18, INTERRUPT_STATUS = 19 };
enum { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, NEEDS_RESET = 0x40 };
enum { MOST_DEVICES = 2, MOST_ENTRIES = 1024, PATIENCE = 30 * TICKS_PER_SECOND };

static struct virtio_device *devices[MOST_DEVICES];
static int device_count;

/* Returns 0 where there is no such device. */
int virtio_start(struct virtio_device *device, u32 pci_identity, u32 wanted_features)
{
    if (!pci_find(pci_identity, device))
        return 0;
    out8(device->ports + STATUS, 0);
    out8(device->ports + STATUS, ACKNOWLEDGE);
    out8(device->ports + STATUS, ACKNOWLEDGE | DRIVER);
    device->features = in32(device->ports + DEVICE_FEATURES) & wanted_features;
    out32(device->ports + DRIVER_FEATURES, device->features);
    devices[device_count++] = device;
    return 1;
}

void virtio_add_queue(struct virtio_device *device, struct queue *queue, u16 index)
{
    out16(device->ports + QUEUE_SELECT, index);
    u16 size = in16(device->ports + QUEUE_SIZE);
    if (size == 0 || size > MOST_ENTRIES || (size & (size - 1)) != 0)
        fail(device->name, " has a queue of no possible size");

    u64 driver_bytes = (u64)size * sizeof(struct descriptor) + 6 + 2 * (u64)size;
    u64 driver_pages = (driver_bytes + PAGE_BYTES - 1) / PAGE_BYTES;
    u64 device_pages = (6 + 8 * (u64)size + PAGE_BYTES - 1) / PAGE_BYTES;
    char *memory = boot_take(driver_pages + device_pages);
    *queue = (struct queue){
        .device = device, .index = index, .size = size, .descriptors = (struct descriptor *)memory,
        .available = (u16 *)(memory + size * sizeof(struct descriptor)), .used_ring = (u32 *)(memory + driver_pages * PAGE_BYTES),
    };
    out32(device->ports + QUEUE_FRAME, (u32)((u64)memory / PAGE_BYTES));
}

void virtio_run(struct virtio_device *device)
{
    out8(device->ports + STATUS, ACKNOWLEDGE | DRIVER | DRIVER_OK);
    listen_to_line(device->line);
}

/* Reading the interrupt status lowers the line. */
void virtio_acknowledge(void)
{
    for (int i = 0; i < device_count; i++)
        in8(devices[i]->ports + INTERRUPT_STATUS);
}

/* Offers the chain of descriptors that begins with this one. */
void queue_offer(struct queue *queue, u16 head)
{
    queue->available[2 + queue->offered % queue->size] = head;
    queue->offered++;
    queue->in_flight++;
    __asm__ volatile("mfence" ::: "memory"); /* the entry before the index */
    queue->available[1] = queue->offered;
}

void queue_notify(struct queue *queue)
{
    __asm__ volatile("mfence" ::: "memory");
    out16(queue->device->ports + QUEUE_NOTIFY, queue->index);
}

/* Takes one chain back that the device has used. Returns 0 where there is none. */
int queue_take(struct queue *queue)
{
    u16 ahead = (u16)((u16)(queue->used_ring[0] >> 16) - queue->used);
    if (ahead == 0)
        return 0;
    if (ahead > queue->in_flight)
        fail(queue->device->name, " used more than it was given");
    if (queue->used_ring[1 + 2 * (queue->used % queue->size)] >= queue->size)
        fail(queue->device->name, " used a descriptor that does not exist");
    queue->used++;
    queue->in_flight--;
    return 1;
}

/* Waits until the device has used all that it was offered. */
void queue_wait(struct queue *queue)
{
    u64 last = ticks + PATIENCE;
    for (;;) {
        while (queue->in_flight > 0 && queue_take(queue))
            ;
        if (queue->in_flight == 0)
            return;
        if ((in8(queue->device->ports + STATUS) & NEEDS_RESET) != 0)
            fail(queue->device->name, " says that it needs a reset");
        if (ticks > last)
            fail(queue->device->name, " does not answer");
        wait_for_interrupt();
    }
}
