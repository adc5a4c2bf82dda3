module corun-bench

go 1.25
