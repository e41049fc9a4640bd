/* Virtio devices by the legacy interface of VIRTIO 1.2, "Legacy Interfaces": all fields are little-endian, rings are split. */
#ifndef VIRTIO_H
#define VIRTIO_H

#include "kernel.h"

struct virtio_device {
    const char *name; /* begins the sentence that tells what is wrong with it */
    u16 ports;
    u8 line;
    u32 features;
};

struct descriptor { u64 address; u32 length; u16 flags, next; };
enum { DESCRIPTOR_NEXT = 1, DESCRIPTOR_DEVICE_WRITES = 2 };

struct queue {
    struct virtio_device *device;
    u16 index, size, offered, used, in_flight;
    struct descriptor *descriptors;
    volatile u16 *available;      /* flags, index, ring */
    volatile u32 *used_ring;      /* pairs of identity and length behind flags and index */
};

enum { DEVICE_CONFIGURATION = 0x14 };

int pci_find(u32 identity, struct virtio_device *device);

int virtio_start(struct virtio_device *device, u32 pci_identity, u32 wanted_features);
void virtio_add_queue(struct virtio_device *device, struct queue *queue, u16 index);
void virtio_run(struct virtio_device *device);
void virtio_acknowledge(void);

void queue_offer(struct queue *queue, u16 head);
void queue_notify(struct queue *queue);
int queue_take(struct queue *queue);
void queue_wait(struct queue *queue);

#endif
