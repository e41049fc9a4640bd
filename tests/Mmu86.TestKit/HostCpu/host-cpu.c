/*
 * Executes machine code of test cases on the processor that runs this program and reports what became of registers, flags
 * and memory. Cases arrive on standard input, outcomes leave on standard output; the layouts are those of InstructionCase.cs
 * and SubjectResult.cs.
 *
 * Freestanding: there is no C library, so no code of ours touches FS or GS and a case may use both. Position independent, so
 * that the kernel loads it high and a stray 32-bit address cannot hit it.
 *
 * Every case ends in a signal: the code pages are filled with INT3, and a fault is a signal by itself. The handler runs on a
 * stack of its own, notes the interrupted registers and returns to the loop. One way out serves completed code, taken
 * branches and faults alike.
 */

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

#define CODE_START 0x10000000UL
#define CODE_BYTES 0x2000UL
#define DATA_START 0x20000000UL
#define DATA_BYTES 0x2000UL
#define READ_ONLY_START 0x20002000UL
#define READ_ONLY_BYTES 0x1000UL
#define PAGE 0x1000UL

#define HANDSHAKE 0x3155504354534f48UL /* "HOSTCPU1" */
#define MAXIMUM_BATCH 1024
#define INT3 0xCC

struct test_case {
    u64 registers[16]; /* in the order of their encoding: RAX, RCX, RDX, RBX, RSP, ... */
    u64 flags;
    u64 code_address;
    u64 code_length;
    u64 fs_base;
    u64 gs_base;
    u64 window_address;
    u16 selectors[8]; /* CS, DS, ES, SS, FS, GS of 16- or 32-bit code; CS is 0 for 64-bit code */
    u8 code[64];
    u8 window[256];
};

struct outcome {
    u64 registers[16];
    u64 flags;
    u64 rip;
    u64 vector;
    u64 error_code;
    u64 fault_address;
    u64 fs_base;
    u64 gs_base;
    u64 stray; /* a sum over bytes written outside the window; 0 where there are none */
    u8 window[256];
};

/* What the kernel passes to a signal handler: the processor-specific part of struct ucontext, by the kernel's ABI. */
struct signal_frame {
    u64 flags;
    void *link;
    u64 stack[3];
    u64 r8_to_r15[8];
    u64 rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags, selectors, error, vector, old_mask, cr2;
};

/* What modify_ldt takes: struct user_desc, by the kernel's ABI. */
struct segment {
    u32 entry;
    u32 base;
    u32 limit;
    u32 flags; /* 0 32-bit, 2..1 data, expand-down, code, conforming, 3 not written (data) or read (code), 4 limit in pages */
};

struct signal_action {
    void (*handler)(int, void *, struct signal_frame *);
    u64 flags;
    void (*restorer)(void);
    u64 mask;
};

struct signal_stack {
    void *start;
    u64 flags;
    u64 size;
};

static struct test_case cases[MAXIMUM_BATCH] __attribute__((aligned(64)));
static struct outcome outcomes[MAXIMUM_BATCH] __attribute__((aligned(64)));
static u8 handler_stack[65536] __attribute__((aligned(64)));
static struct outcome *current; /* null while no case runs */

u64 host_rsp __attribute__((visibility("hidden")));
u64 case_target __attribute__((visibility("hidden")));
struct { u32 offset; u16 selector; } __attribute__((packed)) far_target __attribute__((visibility("hidden")));
extern void run_case(const struct test_case *) __attribute__((visibility("hidden")));
extern void run_narrow_case(const struct test_case *) __attribute__((visibility("hidden")));
extern u8 run_case_end __attribute__((visibility("hidden")));
extern void restore_from_signal(void) __attribute__((visibility("hidden")));

/* The segments of 16- and 32-bit cases, from selector 7 on; NarrowSegments.cs has the same. */
static const struct segment segments[] = {
    { 0, CODE_START, 0x1FFF, 2 << 1 },               /* 16-bit code */
    { 1, CODE_START, 0x1FFF, 2 << 1 | 1 | 1 << 3 },  /* 32-bit code that cannot be read */
    { 2, DATA_START, 0x2FFF, 1 },                    /* data */
    { 3, DATA_START, 0x0FFF, 1 << 1 | 1 },           /* expand-down data up to 4 GiB */
    { 4, DATA_START, 0x0FFF, 1 << 1 },               /* expand-down data up to 64 KiB */
    { 5, DATA_START, 0x1FFF, 1 | 1 << 3 },           /* data that cannot be written */
    { 6, DATA_START, 0x2FFF, 0 },                    /* data, SP as a stack */
};

/* run_case loads flags first: the moves after POPFQ change none. RSP and RDI come last. The handler sets RSP and comes back
   to run_case_end. */
__asm__(
    ".text\n"
    ".hidden run_case\n"
    ".globl run_case\n"
    "run_case:\n"
    "    push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
    "    mov %rsp, host_rsp(%rip)\n"
    "    mov 136(%rdi), %rax\n"
    "    mov %rax, case_target(%rip)\n"
    "    pushq 128(%rdi)\n"
    "    popfq\n"
    "    mov 0(%rdi), %rax\n mov 8(%rdi), %rcx\n mov 16(%rdi), %rdx\n mov 24(%rdi), %rbx\n"
    "    mov 40(%rdi), %rbp\n mov 48(%rdi), %rsi\n"
    "    mov 64(%rdi), %r8\n mov 72(%rdi), %r9\n mov 80(%rdi), %r10\n mov 88(%rdi), %r11\n"
    "    mov 96(%rdi), %r12\n mov 104(%rdi), %r13\n mov 112(%rdi), %r14\n mov 120(%rdi), %r15\n"
    "    mov 32(%rdi), %rsp\n mov 56(%rdi), %rdi\n"
    "    jmp *case_target(%rip)\n"
    /* The same for 16- and 32-bit code, which needs data segments too. RSP follows SS at once. */
    ".hidden run_narrow_case\n"
    ".globl run_narrow_case\n"
    "run_narrow_case:\n"
    "    push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
    "    mov %rsp, host_rsp(%rip)\n"
    "    mov 178(%rdi), %ds\n mov 180(%rdi), %es\n mov 184(%rdi), %fs\n mov 186(%rdi), %gs\n"
    "    pushq 128(%rdi)\n"
    "    popfq\n"
    "    mov 0(%rdi), %rax\n mov 8(%rdi), %rcx\n mov 16(%rdi), %rdx\n mov 24(%rdi), %rbx\n"
    "    mov 40(%rdi), %rbp\n mov 48(%rdi), %rsi\n"
    "    mov 182(%rdi), %ss\n mov 32(%rdi), %rsp\n"
    "    mov 56(%rdi), %rdi\n"
    "    ljmpl *far_target(%rip)\n"
    ".hidden run_case_end\n"
    ".globl run_case_end\n"
    "run_case_end:\n"
    "    pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n"
    "    ret\n"
    ".hidden restore_from_signal\n"
    ".globl restore_from_signal\n"
    "restore_from_signal:\n"
    "    mov $15, %eax\n"
    "    syscall\n"
    ".globl _start\n"
    "_start:\n"
    "    mov %rsp, %rdi\n"
    "    and $-16, %rsp\n"
    "    call begin\n"
    "    ud2\n");

static long system_call(long number, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
    register u64 r10 __asm__("r10") = d;
    register u64 r8 __asm__("r8") = e;
    register u64 r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
    return result;
}

static void leave(int status)
{
    for (;;)
        system_call(231, (u64)status, 0, 0, 0, 0, 0);
}

static void copy(void *to, const void *from, u64 bytes)
{
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
}

static void fill(void *to, u8 value, u64 bytes)
{
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(value) : "memory");
}

static void handle(int signal, void *info, struct signal_frame *frame)
{
    /* The case may have left AC or NT set; the kernel clears only DF and TF for us. */
    __asm__ volatile("pushq $0x202\n popfq" : : : "cc", "memory");
    (void)signal;
    (void)info;
    if (!current)
        leave(97);
    u64 *to = current->registers;
    to[0] = frame->rax, to[1] = frame->rcx, to[2] = frame->rdx, to[3] = frame->rbx;
    to[4] = frame->rsp, to[5] = frame->rbp, to[6] = frame->rsi, to[7] = frame->rdi;
    for (int i = 0; i < 8; i++)
        to[8 + i] = frame->r8_to_r15[i];
    current->flags = frame->eflags;
    current->rip = frame->rip;
    current->vector = frame->vector;
    current->error_code = frame->error;
    current->fault_address = frame->cr2;
    current = 0;
    frame->rip = (u64)&run_case_end;
    frame->rsp = host_rsp;
    frame->eflags = 0x202;
    /* CS, GS, FS, SS from the lowest word up: back to 64-bit code. */
    frame->selectors = (frame->selectors & 0x0000FFFFFFFF0000UL) | 0x002B000000000033UL;
}

static int read_all(void *to, u64 bytes)
{
    for (u64 done = 0; done < bytes;) {
        long count = system_call(0, 0, (u64)to + done, bytes - done, 0, 0, 0);
        if (count == 0 && done == 0)
            return 0;
        if (count <= 0)
            leave(96);
        done += (u64)count;
    }
    return 1;
}

static void write_all(const void *from, u64 bytes)
{
    for (u64 done = 0; done < bytes;) {
        long count = system_call(1, 1, (u64)from + done, bytes - done, 0, 0, 0);
        if (count <= 0)
            leave(95);
        done += (u64)count;
    }
}

/* Maps pages at a fixed address with a page on either side that no access reaches. */
static long map(u64 start, u64 bytes)
{
    /* PROT_NONE; MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE */
    long result = system_call(9, start - PAGE, bytes + 2 * PAGE, 0, 0x100022, ~0UL, 0);
    if (result < 0 || (u64)result != start - PAGE)
        return result < 0 ? -result : 17;
    return 0;
}

static long protect(u64 start, u64 bytes, u64 rights)
{
    return -system_call(10, start, bytes, rights, 0, 0, 0);
}

static long prepare(void)
{
    static const int signals[] = { 4, 5, 7, 8, 11 }; /* ILL, TRAP, BUS, FPE, SEGV */
    long error = map(CODE_START, CODE_BYTES);
    if (!error)
        error = map(DATA_START, DATA_BYTES + READ_ONLY_BYTES);
    if (!error)
        error = protect(CODE_START, CODE_BYTES, 7);
    if (!error)
        error = protect(DATA_START, DATA_BYTES + READ_ONLY_BYTES, 3);
    if (error)
        return error;

    fill((void *)CODE_START, INT3, CODE_BYTES);
    fill((void *)DATA_START, 0, DATA_BYTES);
    for (u64 i = 0; i < READ_ONLY_BYTES / 8; i++)
        ((u64 *)READ_ONLY_START)[i] = (i + 1) * 0x9E3779B97F4A7C15UL;
    error = protect(READ_ONLY_START, READ_ONLY_BYTES, 1);

    for (u64 i = 0; i < sizeof segments / sizeof segments[0] && !error; i++)
        error = -system_call(154, 1, (u64)&segments[i], sizeof segments[i], 0, 0, 0);

    struct signal_stack stack = { handler_stack, 0, sizeof handler_stack };
    if (!error)
        error = -system_call(131, (u64)&stack, 0, 0, 0, 0, 0);
    /* SA_SIGINFO | SA_ONSTACK | SA_RESTORER | SA_NODEFER */
    struct signal_action action = { handle, 0x4C000004, restore_from_signal, 0 };
    for (u64 i = 0; i < sizeof signals / sizeof signals[0] && !error; i++)
        error = -system_call(13, (u64)signals[i], (u64)&action, 0, 8, 0, 0);
    return error;
}

static u64 take_stray_bytes(void)
{
    u64 sum = 0;
    for (u64 i = 0; i < DATA_BYTES / 8; i++) {
        u64 *at = (u64 *)DATA_START + i;
        if (*at) {
            sum = (sum ^ (*at + i)) * 0x9E3779B97F4A7C15UL;
            *at = 0;
        }
    }
    return sum;
}

static u64 base_of(u16 selector)
{
    return selector & 4 ? segments[selector >> 3].base : 0;
}

static void execute(const struct test_case *test, struct outcome *outcome)
{
    static u64 fs_base, gs_base;
    int narrow = test->selectors[0] != 0;
    if (test->fs_base != fs_base)
        system_call(158, 0x1002, test->fs_base, 0, 0, 0, 0);
    if (test->gs_base != gs_base)
        system_call(158, 0x1001, test->gs_base, 0, 0, 0, 0);
    copy((void *)test->code_address, test->code, test->code_length);
    copy((void *)test->window_address, test->window, sizeof test->window);

    current = outcome;
    if (narrow) {
        far_target.offset = (u32)(test->code_address - base_of(test->selectors[0]));
        far_target.selector = test->selectors[0];
        run_narrow_case(test);
    } else {
        run_case(test);
    }

    system_call(158, 0x1003, (u64)&fs_base, 0, 0, 0, 0);
    system_call(158, 0x1004, (u64)&gs_base, 0, 0, 0, 0);
    outcome->fs_base = fs_base;
    outcome->gs_base = gs_base;
    if (narrow) {
        __asm__ volatile("mov %0, %%fs\n mov %0, %%gs" : : "r"(0));
        system_call(158, 0x1002, 0, 0, 0, 0, 0);
        system_call(158, 0x1001, 0, 0, 0, 0, 0);
        fs_base = 0;
        gs_base = 0;
    }

    copy(outcome->window, (void *)test->window_address, sizeof outcome->window);
    fill((void *)test->window_address, 0, sizeof outcome->window);
    outcome->stray = take_stray_bytes();
    fill((void *)test->code_address, INT3, test->code_length);
}

/* The auxiliary vector lies above argc, the arguments and the environment. Entry 26, bit 1: RDFSBASE and its kin are enabled. */
static u64 find_features(const u64 *stack)
{
    const u64 *at = stack + 1 + stack[0] + 1;
    while (*at)
        at++;
    for (at++; at[0]; at += 2)
        if (at[0] == 26)
            return at[1];
    return 0;
}

void begin(const u64 *stack)
{
    u64 hello[3] = { HANDSHAKE, (u64)prepare(), find_features(stack) };
    write_all(hello, sizeof hello);
    if (hello[1])
        leave(94);

    u64 count;
    while (read_all(&count, sizeof count)) {
        if (count > MAXIMUM_BATCH)
            leave(93);
        if (!read_all(cases, count * sizeof cases[0]))
            leave(92);
        for (u64 i = 0; i < count; i++)
            execute(&cases[i], &outcomes[i]);
        write_all(outcomes, count * sizeof outcomes[0]);
    }
    leave(0);
}
