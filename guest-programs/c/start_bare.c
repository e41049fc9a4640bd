/* Below a guest in ring 0: the serial port, the debug exit, and all memory behind the image. */
#include "guest.h"

enum { SERIAL_DATA = 0x3F8, SERIAL_LINE_STATUS = 0x3FD, CAN_TAKE_BYTE = 0x20, HAS_SENT_ALL = 0x40 };
enum { DEBUG_EXIT = 0xF4, BOCHS_SHUTDOWN = 0x8900 };

/* The end of the zeros in the image, by the linker script. The catalogue makes the last segment as much longer as the guest needs. */
extern char image_end[];

static void put(unsigned short port, unsigned char value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static void wait_for(unsigned char status)
{
    unsigned char value;
    do {
        __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"((unsigned short)SERIAL_LINE_STATUS));
    } while ((value & status) == 0);
}

__asm__(".globl _start\n"
        ".type _start, @function\n"
        "_start:\n"
        "    xor %ebp, %ebp\n"
        "    and $-16, %rsp\n"
        "    call start\n");

__attribute__((used)) static _Noreturn void start(void)
{
    guest_main();
    put(DEBUG_EXIT, 0);

    /* Here is only who has no debug exit; Bochs ends by the text and sends at the speed of the line. */
    wait_for(HAS_SENT_ALL);
    for (const char *letter = "Shutdown"; *letter != 0; letter++)
        put(BOCHS_SHUTDOWN, (unsigned char)*letter);
    for (;;)
        __asm__ volatile("cli; hlt");
}

void write_bytes(const char *bytes, u64 count)
{
    for (u64 i = 0; i < count; i++) {
        wait_for(CAN_TAKE_BYTE);
        put(SERIAL_DATA, (unsigned char)bytes[i]);
    }
}

void *take_heap(u64 bytes)
{
    static u64 taken;
    void *result = image_end + taken;
    taken += (bytes + 15) & ~15UL;
    return result;
}

void *take_pages(u64 bytes)
{
    return take_heap(bytes);
}
