; The 20th Fibonacci number by recursion: r0 = 6765.
entrypoint:
    mov64 r1, 20
    call function_fibonacci
    exit

; r1 = n; returns r0 = fibonacci(n). r6 and r7 are the caller's again after a call.
function_fibonacci:
    mov64 r0, r1
    jlt r1, 2, done
    mov64 r6, r1
    add64 r1, -1
    call function_fibonacci
    mov64 r7, r0
    mov64 r1, r6
    add64 r1, -2
    call function_fibonacci
    add64 r0, r7
done:
    exit
