/* Configuration mechanism 1, as much of it as two devices on bus 0 need. */
#include "virtio.h"

enum { CONFIGURATION_ADDRESS = 0xCF8, CONFIGURATION_DATA = 0xCFC, SLOTS = 32 };
enum { IDENTITY = 0, COMMAND = 4, BAR0 = 0x10, INTERRUPT = 0x3C, IO_AND_MASTER = 5 };

static u32 select_register(u32 slot, u32 offset)
{
    u32 address = 0x80000000 | slot << 11 | offset;
    out32(CONFIGURATION_ADDRESS, address);
    return address;
}

static u32 read_register(u32 slot, u32 offset)
{
    select_register(slot, offset);
    return in32(CONFIGURATION_DATA);
}

int pci_find(u32 identity, struct virtio_device *device)
{
    /* Where there is no bus nobody keeps the address. */
    if (select_register(0, 0) != in32(CONFIGURATION_ADDRESS))
        return 0;

    for (u32 slot = 0; slot < SLOTS; slot++) {
        if (read_register(slot, IDENTITY) != identity)
            continue;
        u32 bar = read_register(slot, BAR0);
        if ((bar & 1) == 0 || (bar & 0xFFFC) == 0 || bar >> 16 != 0)
            fail(device->name, " has no I/O ports");
        device->ports = (u16)(bar & 0xFFFC);
        device->line = (u8)read_register(slot, INTERRUPT);
        u32 command = read_register(slot, COMMAND);
        out32(CONFIGURATION_DATA, (command & 0xFFFF) | IO_AND_MASTER);
        return 1;
    }
    return 0;
}
