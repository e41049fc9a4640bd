/* Below a guest in ring 3: system calls of Linux for x86-64. */
#include "guest.h"

enum { CALL_WRITE = 1, CALL_MMAP = 9, CALL_BRK = 12, CALL_EXIT = 60 };

/* A guest that is refused memory ends with this status. */
enum { STATUS_NO_MEMORY = 2 };

static u64 call6(u64 number, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
    register u64 r10 __asm__("r10") = d;
    register u64 r8 __asm__("r8") = e;
    register u64 r9 __asm__("r9") = f;
    u64 result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

static _Noreturn void end(u64 status)
{
    call6(CALL_EXIT, status, 0, 0, 0, 0, 0);
    __builtin_unreachable();
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
    end(0);
}

void write_bytes(const char *bytes, u64 count)
{
    call6(CALL_WRITE, 1, (u64)bytes, count, 0, 0, 0);
}

void *take_heap(u64 bytes)
{
    enum { STEP = 1 << 18 };
    static u64 next, limit;
    if (limit == 0)
        next = limit = (call6(CALL_BRK, 0, 0, 0, 0, 0, 0) + 15) & ~15UL;
    while (limit - next < bytes) {
        u64 wanted = limit + STEP;
        if (call6(CALL_BRK, wanted, 0, 0, 0, 0, 0) != wanted)
            end(STATUS_NO_MEMORY);
        limit = wanted;
    }

    u64 result = next;
    next += bytes;
    return (void *)result;
}

void *take_pages(u64 bytes)
{
    enum { READ_WRITE = 3, PRIVATE_ANONYMOUS = 0x22 };
    u64 result = call6(CALL_MMAP, 0, bytes, READ_WRITE, PRIVATE_ANONYMOUS, (u64)-1, 0);
    if (result > (u64)-4096)
        end(STATUS_NO_MEMORY);
    return (void *)result;
}
