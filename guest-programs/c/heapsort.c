/* Heapsort of N random numbers, the same that the guest quicksort sorts. */
#include "guest.h"

enum { SEED = 0x4D4D0001 };

static void sift_down(long *numbers, u64 hole, u64 count)
{
    long number = numbers[hole];
    for (;;) {
        u64 child = 2 * hole + 1;
        if (child >= count)
            break;
        if (child + 1 < count && numbers[child] < numbers[child + 1])
            child++;
        if (numbers[child] <= number)
            break;
        numbers[hole] = numbers[child];
        hole = child;
    }
    numbers[hole] = number;
}

void guest_main(void)
{
    u64 count = guest_parameters[0];
    long *numbers = take_pages(count * sizeof *numbers);
    u64 state = SEED;
    for (u64 i = 0; i < count; i++)
        numbers[i] = (long)next_random(&state);

    measured_begin();
    for (u64 i = count / 2; i > 0; i--)
        sift_down(numbers, i - 1, count);
    for (u64 last = count - 1; last > 0; last--) {
        long largest = numbers[0];
        numbers[0] = numbers[last];
        numbers[last] = largest;
        sift_down(numbers, 0, last);
    }
    measured_end();

    u64 disorder = 0, checksum = 0;
    for (u64 i = 0; i < count; i++) {
        disorder += i > 0 && numbers[i] < numbers[i - 1];
        checksum += (i + 1) * (u64)numbers[i];
    }
    print("heapsort ");
    print_number(count);
    print(": ");
    print_number(disorder);
    print(" out of order, checksum ");
    print_number(checksum);
    print("\n");
}
