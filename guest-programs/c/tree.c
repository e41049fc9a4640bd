/* A binary search tree of N random keys: nodes on the heap in the order of insertion, lookups that hit, lookups that miss, one traversal. */
#include "guest.h"

enum { PRESENT_SEED = 0x4D4D0007, ABSENT_SEED = 0x4D4D0008 };

struct node {
    u64 key;
    u64 value;
    struct node *left;
    struct node *right;
};

static struct node *root;

static void insert(u64 key, u64 value)
{
    struct node **link = &root;
    while (*link != 0 && (*link)->key != key)
        link = key < (*link)->key ? &(*link)->left : &(*link)->right;
    if (*link == 0) {
        *link = take_heap(sizeof(struct node));
        (*link)->key = key;
    }
    (*link)->value += value;
}

static const struct node *find(u64 key)
{
    const struct node *node = root;
    while (node != 0 && node->key != key)
        node = key < node->key ? node->left : node->right;
    return node;
}

/* The sum of keys times their ranks. */
static u64 traverse(const struct node *node, u64 *rank)
{
    u64 sum = 0;
    for (; node != 0; node = node->right) {
        sum += traverse(node->left, rank);
        sum += ++*rank * node->key;
    }
    return sum;
}

void guest_main(void)
{
    u64 count = guest_parameters[0];
    u64 state = PRESENT_SEED;
    for (u64 i = 1; i <= count; i++)
        insert(next_random(&state), i);

    u64 present = PRESENT_SEED, absent = ABSENT_SEED, sum = 0, strays = 0, rank = 0;
    measured_begin();
    for (u64 i = 0; i < count; i++) {
        sum += find(next_random(&present))->value;
        strays += find(next_random(&absent)) != 0;
    }
    u64 checksum = traverse(root, &rank);
    measured_end();

    print("tree ");
    print_number(count);
    print(": sum ");
    print_number(sum);
    print(", strays ");
    print_number(strays);
    print(", checksum ");
    print_number(checksum);
    print("\n");
}
