// The Internet checksum (RFC 1071) of the 16-bit words behind their number.

struct packet {
    unsigned long long number;
    unsigned short words[];
};

__attribute__((section("program"), used)) unsigned long long checksum(struct packet *packet)
{
    unsigned long long sum = 0;
    for (unsigned long long index = 0; index < packet->number; index++)
        sum += __builtin_bswap16(packet->words[index]);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return sum ^ 0xffff;
}
