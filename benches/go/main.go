// The workloads on Go: `gopeer WORKERS WORKLOAD ...`. See ../src/lib.rs for what they print.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

func main() {
	workers := argument(1)
	runtime.GOMAXPROCS(workers)
	switch name := os.Args[2]; name {
	case "yield":
		yields(argument(3), argument(4))
	case "spawn":
		spawnAndFinish(argument(3))
	case "parked":
		parked(argument(3))
	case "skynet":
		skynet(argument(3))
	case "timers":
		timers(argument(3))
	case "echo":
		echo()
	case "proxy":
		proxy(argument(3))
	case "pingpong":
		pingpong(argument(3))
	case "buffered":
		buffered(os.Args[3], argument(4))
	case "crowd":
		crowd(argument(3))
	case "select":
		selectOfTwo(argument(3))
	case "ring":
		ring(argument(3))
	case "sieve":
		sieve()
	case "mutex":
		mutex(argument(3))
	case "footprint":
		footprint(os.Args[3])
	case "promises":
		promises(os.Args[3], argument(4))
	case "named":
		runNamed(os.Args[3], argument(4))
	default:
		panic("no such workload: " + name)
	}
}

func argument(index int) int {
	value, err := strconv.Atoi(os.Args[index])
	if err != nil {
		panic(err)
	}
	return value
}

func reportPerOperation(elapsed time.Duration, count int) {
	fmt.Printf("RESULT ns=%.4f\n", float64(elapsed.Nanoseconds())/float64(count))
}
