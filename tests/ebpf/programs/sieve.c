// How many numbers below a limit are prime, by the sieve of Eratosthenes in the bytes behind it.

struct sieve {
    unsigned long long limit;
    unsigned char is_composite[];
};

__attribute__((section("program"), used)) unsigned long long sieve(struct sieve *sieve)
{
    unsigned long long count = 0, limit = sieve->limit;
    for (unsigned long long number = 2; number < limit; number++)
        sieve->is_composite[number] = 0;
    for (unsigned long long number = 2; number < limit; number++) {
        if (sieve->is_composite[number])
            continue;
        count++;
        for (unsigned long long multiple = number * number; multiple < limit; multiple += number)
            sieve->is_composite[multiple] = 1;
    }
    return count;
}
