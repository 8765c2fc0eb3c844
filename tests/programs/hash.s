; Hashes the first 3 bytes of the input and returns the hash as return data.
; The tests put the names of other hashes in place of sol_sha256.
entrypoint:
    stxdw [r10-16], r1          # a slice on the stack: address,
    stdw [r10-8], 3             # and length
    mov64 r1, r10
    add64 r1, -16
    mov64 r2, 1                 # one slice
    mov64 r3, r10
    add64 r3, -48               # where the hash goes
    syscall sol_sha256
    mov64 r1, r10
    add64 r1, -48
    mov64 r2, 32
    syscall sol_set_return_data
    mov64 r0, 0
    exit
