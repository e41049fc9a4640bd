/* What a guest in C may use. One of start_linux.c and start_bare.c stands below it, so that one source makes both variants. */
#ifndef GUEST_H
#define GUEST_H

typedef unsigned long u64;

/* How many parameters there is room for; who needs more says so to the compiler. */
#ifndef PARAMETERS
#define PARAMETERS 4
#endif

/* The guest's parameters. The catalogue writes them into the image, so the compiler must not know their values. */
extern volatile const u64 guest_parameters[PARAMETERS];

/* The guest. Its return ends the program with status 0. */
void guest_main(void);

void print(const char *text);
void print_number(u64 number);

/* Memory that is zero at first and never given back. In ring 3 the first comes from brk and the second from mmap. */
void *take_heap(u64 bytes);
void *take_pages(u64 bytes);

/* The hints that begin and end the measured part. Functions, so that the compiler cannot make two of one. */
void measured_begin(void);
void measured_end(void);

/* The random numbers of the guests in C#: x = x * a + c, with Knuth's constants for MMIX. */
static inline u64 next_random(u64 *state)
{
    *state = *state * 6364136223846793005UL + 1442695040888963407UL;
    return *state;
}

/* What a start file offers to common.c. */
void write_bytes(const char *bytes, u64 count);

#endif
