// Divisions, shifts and byte order in a loop over numbers from the context.

struct context {
    unsigned long long a, b, c, d;
};

__attribute__((section("program"), used)) unsigned long long arithmetic(struct context *context)
{
    unsigned long long result = 0;
    for (unsigned long long round = 0; round < 50; round++) {
        unsigned long long a = context->a + round, b = context->b + round;
        result = (result * 31 + a / b + a % b) ^ (a << 3);
        result ^= __builtin_bswap32((unsigned)a);
    }
    return result;
}
