; Uses the four memory syscalls on the heap: r0 = 0 when all of them do what they should.
entrypoint:
    lddw r6, 0x300000000        ; the heap
    mov64 r1, r6                ; 16 bytes of 0xab
    mov64 r2, 0xab
    mov64 r3, 16
    syscall sol_memset_
    stb [r6+15], 7
    mov64 r1, r6                ; copy them 16 bytes up
    add64 r1, 16
    mov64 r2, r6
    mov64 r3, 16
    syscall sol_memcpy_
    mov64 r1, r6                ; compare both copies: equal
    mov64 r2, r6
    add64 r2, 16
    mov64 r3, 16
    mov64 r4, r6
    add64 r4, 64
    syscall sol_memcmp_
    ldxw r0, [r6+64]
    jne r0, 0, end
    mov64 r1, r6                ; move the copy one byte up: ranges overlap
    add64 r1, 17
    mov64 r2, r6
    add64 r2, 16
    mov64 r3, 16
    syscall sol_memmove_
    ldxb r0, [r6+32]
    sub64 r0, 7
end:
    exit
