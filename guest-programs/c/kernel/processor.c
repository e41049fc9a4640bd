/* Descriptor tables, exceptions, the 8259 pair, and the 8254's channel 0 as a tick every millisecond. */
#include "kernel.h"
#include "virtio.h"

enum { FIRST_PIC = 0x20, SECOND_PIC = 0xA0, PIC_INITIALISE = 0x11, PIC_8086 = 1, PIC_END = 0x20 };
enum { TIMER_COUNT = 0x40, TIMER_MODE = 0x43, RATE_GENERATOR = 0x34, TIMER_HERTZ = 1193182 };
enum { FIRST_LINE_VECTOR = 32, LINES = 16, TIMER_LINE = 0, CASCADE_LINE = 2, VECTORS = FIRST_LINE_VECTOR + LINES };
enum { CODE_SELECTOR = 8, DATA_SELECTOR = 16, INTERRUPT_GATE = 0x8E };

struct frame { u64 rip, cs, rflags, rsp, ss; };
struct gate { u16 low, selector; u8 stack, type; u16 middle; u32 high, reserved; };
struct table { u16 limit; const void *base; } __attribute__((packed));

#define HANDLER __attribute__((interrupt)) static

volatile u64 ticks;
volatile int in_kernel = 1;

static u64 descriptors[] = { 0, 0x00AF9B000000FFFF, 0x00CF93000000FFFF };
static struct gate gates[VECTORS];

/* No exception but #PF is expected. */
#define UNEXPECTED(vector) \
    HANDLER void exception_##vector(struct frame *frame) { (void)frame; fail_with("unexpected exception ", vector); }
#define UNEXPECTED_WITH_CODE(vector) \
    HANDLER void exception_##vector(struct frame *frame, u64 code) { (void)frame; (void)code; fail_with("unexpected exception ", vector); }
UNEXPECTED(0) UNEXPECTED(1) UNEXPECTED(2) UNEXPECTED(3) UNEXPECTED(4) UNEXPECTED(5) UNEXPECTED(6) UNEXPECTED(7)
UNEXPECTED_WITH_CODE(8) UNEXPECTED_WITH_CODE(10) UNEXPECTED_WITH_CODE(11) UNEXPECTED_WITH_CODE(12) UNEXPECTED_WITH_CODE(13)
UNEXPECTED(16) UNEXPECTED_WITH_CODE(17) UNEXPECTED(18) UNEXPECTED(19)

HANDLER void exception_14(struct frame *frame, u64 code)
{
    u64 address;
    __asm__ volatile("mov %%cr2, %0" : "=r"(address));
    int outer = in_kernel;
    in_kernel = 1;
    page_fault(address, code, frame->rip);
    in_kernel = outer;
}

static void give_balloon_its_turn(void)
{
    if (in_kernel)
        return;
    in_kernel = 1;
    balloon_task();
    in_kernel = 0;
}

HANDLER void timer_interrupt(struct frame *frame)
{
    (void)frame;
    ticks++;
    out8(FIRST_PIC, PIC_END);
    give_balloon_its_turn();
}

/* A device's interrupt ends a HLT; what it has to say is found by looking. Lines may be shared, and a spurious one does no harm. */
HANDLER void line_interrupt(struct frame *frame)
{
    (void)frame;
    virtio_acknowledge();
    out8(FIRST_PIC, PIC_END);
    give_balloon_its_turn();
}

HANDLER void upper_line_interrupt(struct frame *frame)
{
    (void)frame;
    virtio_acknowledge();
    out8(SECOND_PIC, PIC_END);
    out8(FIRST_PIC, PIC_END);
    give_balloon_its_turn();
}

static void set_gate(int vector, const void *handler)
{
    u64 address = (u64)handler;
    gates[vector] = (struct gate){
        .low = (u16)address, .selector = CODE_SELECTOR, .type = INTERRUPT_GATE, .middle = (u16)(address >> 16), .high = (u32)(address >> 32),
    };
}

static void load_tables(void)
{
    struct table gdt = { sizeof descriptors - 1, descriptors }, idt = { sizeof gates - 1, gates };
    __asm__ volatile("lgdt %0\n"
                     "lidt %1\n"
                     "mov %2, %%ds\n"
                     "mov %2, %%es\n"
                     "mov %2, %%fs\n"
                     "mov %2, %%gs\n"
                     "mov %2, %%ss\n"
                     "push %3\n"
                     "lea 1f(%%rip), %%rax\n"
                     "push %%rax\n"
                     "lretq\n"
                     "1:\n"
                     :
                     : "m"(gdt), "m"(idt), "r"(DATA_SELECTOR), "r"((u64)CODE_SELECTOR)
                     : "rax", "memory");
}

static void start_controller(u16 port, u8 vector, u8 wiring)
{
    out8(port, PIC_INITIALISE);
    out8(port + 1, vector);
    out8(port + 1, wiring);
    out8(port + 1, PIC_8086);
    out8(port + 1, 0xFF);
}

void listen_to_line(u8 line)
{
    /* What firmware has not routed is found at the next tick. */
    if (line >= LINES)
        return;
    u16 mask = (line < 8 ? FIRST_PIC : SECOND_PIC) + 1;
    out8(mask, in8(mask) & (u8)~(1 << (line & 7)));
}

void processor_start(void)
{
    static const void *const exceptions[] = {
        exception_0, exception_1, exception_2, exception_3, exception_4, exception_5, exception_6, exception_7, exception_8, 0,
        exception_10, exception_11, exception_12, exception_13, exception_14, 0, exception_16, exception_17, exception_18, exception_19,
    };
    for (int i = 0; i < (int)(sizeof exceptions / sizeof exceptions[0]); i++) {
        if (exceptions[i] != 0)
            set_gate(i, exceptions[i]);
    }
    for (int line = 0; line < LINES; line++)
        set_gate(FIRST_LINE_VECTOR + line, line == TIMER_LINE ? timer_interrupt : line < 8 ? line_interrupt : upper_line_interrupt);
    load_tables();

    start_controller(FIRST_PIC, FIRST_LINE_VECTOR, 1 << CASCADE_LINE);
    start_controller(SECOND_PIC, FIRST_LINE_VECTOR + 8, CASCADE_LINE);
    listen_to_line(CASCADE_LINE);
    listen_to_line(TIMER_LINE);
    enum { COUNT = TIMER_HERTZ / TICKS_PER_SECOND };
    out8(TIMER_MODE, RATE_GENERATOR);
    out8(TIMER_COUNT, COUNT & 0xFF);
    out8(TIMER_COUNT, COUNT >> 8);
}

/* STI takes effect behind HLT, so that no interrupt is missed between the look at the ring and the sleep. */
void wait_for_interrupt(void)
{
    __asm__ volatile("sti; hlt; cli" ::: "memory");
}

/* A host that has no frame lets the machine stand still at this write, but for interrupts: with them the balloon can give what the host lacks. */
void touch_interruptibly(u64 frame)
{
    in_kernel = 0;
    __asm__ volatile("sti\n"
                     "nop\n" /* STI takes effect behind the next instruction */
                     "movq $0, (%0)\n"
                     "cli"
                     :
                     : "r"(frame * PAGE_BYTES)
                     : "memory");
    in_kernel = 1;
}

void idle_until(u64 tick)
{
    while (ticks < tick)
        __asm__ volatile("hlt" ::: "memory");
}
