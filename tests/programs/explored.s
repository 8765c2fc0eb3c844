# Reads two fields of its input, sums the bytes of a range in a loop, and calls a function.
entrypoint:
    ldxdw r6, [r1+0]
    ldxdw r7, [r1+8]
    stxdw [r10-8], r6
    mov64 r2, r1
    mov64 r3, 16
    mov64 r0, 0
sum:
    ldxb r4, [r2+0]
    add64 r0, r4
    add64 r2, 1
    sub64 r3, 1
    jne r3, 0, sum
    mov64 r1, r0
    call function_twice
    exit
function_twice:
    lsh64 r1, 1
    mov64 r0, r1
    exit
