; Derives a program address from the seeds "Talking" and "Squirrels", which lie at the start of
; the input, for the program whose address follows them, and logs it.
entrypoint:
    stxdw [r10-32], r1
    stdw [r10-24], 7
    mov64 r4, r1
    add64 r4, 7
    stxdw [r10-16], r4
    stdw [r10-8], 9
    mov64 r3, r1
    add64 r3, 16                // the program's address
    mov64 r1, r10
    add64 r1, -32               // two seeds
    mov64 r2, 2
    mov64 r4, r10
    add64 r4, -64               // the result
    syscall sol_create_program_address
    jne r0, 0, end
    mov64 r1, r10
    add64 r1, -64
    syscall sol_log_pubkey
    mov64 r0, 0
end:
    exit
