// Two programs in sections of their own, with functions in `.text` and data.

static volatile const unsigned long long table[3] = {3, 30, 300};
static volatile unsigned long long counter = 1000;
static volatile unsigned long long zeros[4];

__attribute__((noinline)) unsigned long long square(unsigned long long value)
{
    return value * value;
}

static __attribute__((noinline)) unsigned long long add_all(unsigned long long count)
{
    unsigned long long sum = 0;
    for (unsigned long long index = 0; index < count; index++)
        sum += table[index];
    return sum;
}

__attribute__((section("first"), used)) unsigned long long one(unsigned long long *context)
{
    return square(context[0]) + counter;
}

__attribute__((section("second"), used)) unsigned long long two(unsigned long long *context)
{
    zeros[1] += 7;
    return add_all(3) + zeros[1];
}
