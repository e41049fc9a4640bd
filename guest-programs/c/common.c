/* What is the same in both variants: the parameters, the markers, printing. */
#include "guest.h"

/* In .data because it is not zero; the magic number tells in a dump that nobody has filled the block in. */
volatile const u64 guest_parameters[PARAMETERS] __attribute__((section(".data"))) = {
    0x4D4D5586, 0x4D4D5586, 0x4D4D5586, 0x4D4D5586,
};

/* nop dword [rax + disp32] */
void measured_begin(void)
{
    __asm__ volatile(".byte 0x0F, 0x1F, 0x80; .long 0x4D4D5501" ::: "memory");
}

void measured_end(void)
{
    __asm__ volatile(".byte 0x0F, 0x1F, 0x80; .long 0x4D4D5502" ::: "memory");
}

void print(const char *text)
{
    u64 count = 0;
    while (text[count] != 0)
        count++;
    write_bytes(text, count);
}

void print_number(u64 number)
{
    char digits[20];
    u64 first = sizeof digits;
    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    write_bytes(digits + first, sizeof digits - first);
}
