/* Runs a function again and again, as often as each line says, and prints the nanoseconds that took
   and the last result. The first line is its memory, in hexadecimal. */

#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <time.h>

unsigned long long PROGRAM(void *memory);

static _Alignas(64) unsigned char memory[1 << 24];

static unsigned long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec * 1000000000ull + time.tv_nsec;
}

int main(void)
{
    unsigned int byte;
    unsigned long long count;
    for (unsigned char *next = memory; scanf("%2x", &byte) == 1; next++) {
        if (next == memory + sizeof memory)
            return 1;
        *next = byte;
    }
    /* What ends the memory is a full stop. */
    if (scanf(" .") == EOF)
        return 1;
    while (scanf("%llu", &count) == 1) {
        unsigned long long result = 0, start = now();
        for (; count; count--)
            result = PROGRAM(memory);
        printf("%llu %llu\n", now() - start, result);
        fflush(stdout);
    }
    return 0;
}
