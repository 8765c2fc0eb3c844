; Sums 1 to 1000 with a loop: r0 = 500500.
entrypoint:
    mov64 r0, 0
    mov64 r1, 1000
loop:
    add64 r0, r1
    add64 r1, -1
    jne r1, 0, loop
    exit
