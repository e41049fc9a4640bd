/* The serial port, which has the guest's output; the debug console, which has what depends on the machine; the end. */
#include "kernel.h"

enum { SERIAL_DATA = 0x3F8, SERIAL_LINE_STATUS = 0x3FD, CAN_TAKE_BYTE = 0x20, HAS_SENT_ALL = 0x40 };
enum { DEBUG_CONSOLE = 0xE9, DEBUG_EXIT = 0xF4, BOCHS_SHUTDOWN = 0x8900 };

static void wait_for(u8 status)
{
    while ((in8(SERIAL_LINE_STATUS) & status) == 0)
        ;
}

void write_bytes(const char *bytes, u64 count)
{
    for (u64 i = 0; i < count; i++) {
        wait_for(CAN_TAKE_BYTE);
        out8(SERIAL_DATA, (u8)bytes[i]);
    }
}

void debug_print(const char *text)
{
    for (; *text != 0; text++)
        out8(DEBUG_CONSOLE, (u8)*text);
}

void debug_number(u64 number)
{
    if (number >= 10)
        debug_number(number / 10);
    out8(DEBUG_CONSOLE, (u8)('0' + number % 10));
}

void stop(u8 status)
{
    out8(DEBUG_EXIT, status);

    /* Here is only who has no debug exit; Bochs ends by the text and sends at the speed of the line. */
    wait_for(HAS_SENT_ALL);
    for (const char *letter = "Shutdown"; *letter != 0; letter++)
        out8(BOCHS_SHUTDOWN, (u8)*letter);
    for (;;)
        __asm__ volatile("cli; hlt");
}

void fail(const char *subject, const char *what)
{
    print("memory-kernel: ");
    print(subject);
    print(what);
    print("\n");
    stop(STATUS_FAILURE);
}

void fail_with(const char *what, u64 number)
{
    print("memory-kernel: ");
    print(what);
    print_number(number);
    print("\n");
    stop(STATUS_FAILURE);
}
