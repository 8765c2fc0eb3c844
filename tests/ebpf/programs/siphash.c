// SipHash-2-4 of the 64-bit words behind a key and their number.

typedef unsigned long long word;

struct message {
    word key[2], number, words[];
};

#define ROTATE(value, bits) ((value) << (bits) | (value) >> (64 - (bits)))

#define ROUND                                                                                      \
    a += b, b = ROTATE(b, 13) ^ a, a = ROTATE(a, 32);                                              \
    c += d, d = ROTATE(d, 16) ^ c;                                                                 \
    a += d, d = ROTATE(d, 21) ^ a;                                                                 \
    c += b, b = ROTATE(b, 17) ^ c, c = ROTATE(c, 32)

__attribute__((section("program"), used)) word siphash(struct message *message)
{
    word a = message->key[0] ^ 0x736f6d6570736575, b = message->key[1] ^ 0x646f72616e646f6d;
    word c = message->key[0] ^ 0x6c7967656e657261, d = message->key[1] ^ 0x7465646279746573;
    for (word index = 0; index < message->number; index++) {
        d ^= message->words[index];
        ROUND;
        ROUND;
        a ^= message->words[index];
    }
    word last = message->number * 8 << 56;
    d ^= last;
    ROUND;
    ROUND;
    a ^= last;
    c ^= 0xff;
    ROUND;
    ROUND;
    ROUND;
    ROUND;
    return a ^ b ^ c ^ d;
}
