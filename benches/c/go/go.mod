module corun-bench-c

go 1.25
