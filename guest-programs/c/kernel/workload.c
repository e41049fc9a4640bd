/* What the machine does: operations on its pages. Which ones depends on the parameters alone, so every run ends with the same sums. */
#include "kernel.h"

enum { HOT_SHARE = 10, WORDS_PER_LINE = 8 };

static u64 random_state, seen;

/* A number below the limit, by the upper bits. Limits are below 2^32. */
static u64 below(u64 random, u64 limit)
{
    return (random >> 32) * limit >> 32;
}

static u64 choose_page(u64 number, u64 random)
{
    u64 pages = guest_parameters[PAGES];
    if (guest_parameters[WORKLOAD] == SEQUENTIAL)
        return number % pages;

    /* Nine of ten go to a tenth of the pages. */
    u64 hot = pages / HOT_SHARE;
    if (guest_parameters[WORKLOAD] == SKEWED && hot > 0 && below(next_random(&random_state), HOT_SHARE) != 0)
        return below(random, hot);
    return below(random, pages);
}

/* Pages of the image and zeros are read: what machines have alike stays so. */
static void update_or_read(u64 number)
{
    u64 random = next_random(&random_state);
    u64 page = choose_page(number, random);
    u64 *word = (u64 *)memory_region.base + page * WORDS_PER_PAGE + (random >> 20) % WORDS_PER_PAGE;
    if (is_private(page))
        *word += random;
    else
        seen += *word;
}

/* The product of two random numbers: block n is read the more often the smaller n is, and no number of blocks in the cache is a cliff. */
static void read_block(void)
{
    u64 first = next_random(&random_state), second = next_random(&random_state);
    u64 block = below((first >> 32) * (second >> 32), guest_parameters[FILE_PAGES]);
    const u64 *words = (const u64 *)file_region.base + block * WORDS_PER_PAGE;
    for (u64 i = 0; i < WORDS_PER_PAGE; i += WORDS_PER_LINE)
        seen += words[i];
}

void operate(u64 number)
{
    if (number == 0)
        random_state = guest_parameters[SEED];
    if (guest_parameters[WORKLOAD] == FILE_READER)
        read_block();
    update_or_read(number);
}

u64 words_seen(void)
{
    return seen;
}

/* Every word of memory counts with its place, so that neither a lost update nor two exchanged pages go unnoticed. */
u64 memory_checksum(void)
{
    const u64 *words = (const u64 *)memory_region.base;
    u64 count = memory_region.pages * WORDS_PER_PAGE, sum = 0;
    for (u64 i = 0; i < count; i++)
        sum += (i + 1) * words[i];
    return sum;
}
