/*
 * What pages have in them at first, as a function of their numbers. Half of the words of a page are alike, so that it can be compressed to
 * about half, as pages of real programs can.
 */
#include "kernel.h"

enum { IMAGE_KEY = 0x1A6E, FILE_KEY = 0xF11E, PRIVATE_KEY = 0x9417 };

static u64 mix(u64 x)
{
    x ^= x >> 32;
    x *= 0xD6E8FEB86659FD93;
    x ^= x >> 32;
    x *= 0xD6E8FEB86659FD93;
    return x ^ x >> 32;
}

static void fill(u64 *words, u64 key, u64 page)
{
    u64 of_page = mix(key + page * 0x9E3779B97F4A7C15);
    for (u64 i = 0; i < WORDS_PER_PAGE; i += 2) {
        words[i] = mix(of_page + i);
        words[i + 1] = of_page;
    }
}

/* Of every hundred pages the first are the image, which all machines have alike, then come zeros, then what is this machine's own. */
int is_private(u64 page)
{
    return page % 100 >= guest_parameters[IMAGE_PERCENT] + guest_parameters[ZERO_PERCENT];
}

int fill_memory_page(u64 page, u64 *frame)
{
    if (is_private(page)) {
        fill(frame, PRIVATE_KEY + (guest_parameters[SEED] << 16), page);
    } else if (page % 100 < guest_parameters[IMAGE_PERCENT]) {
        fill(frame, IMAGE_KEY, page);
    } else {
        clear_page(frame);
        return 0;
    }
    return 1;
}

int fill_file_page(u64 page, u64 *frame)
{
    fill(frame, FILE_KEY, page);
    return 1;
}
