// The workloads of ../capi.c in Go: `peer WORKLOAD`. What Go has no counterpart for is left out, with an exit code of 3.
package main

import (
	"fmt"
	"iter"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"
)

func each(elapsed time.Duration, count int) float64 {
	return float64(elapsed.Nanoseconds()) / float64(count)
}

// Where the compiler cannot see what becomes of them.
var (
	sink    chan int
	counter int
)

//go:noinline
func nothing() { counter++ }

func join() float64 {
	const count = 100_000
	start := time.Now()
	for range count {
		var done sync.WaitGroup
		done.Add(1)
		go func() {
			nothing()
			done.Done()
		}()
		done.Wait()
	}
	return each(time.Since(start), count)
}

func detached() float64 {
	const count, batch = 100_000, 1000
	start := time.Now()
	for range count / batch {
		before := counter
		for range batch {
			go nothing()
		}
		for counter != before+batch {
			runtime.Gosched()
		}
	}
	return each(time.Since(start), count)
}

// A channel of one is what Go has for a future.
func await() float64 {
	const count = 100_000
	start := time.Now()
	for number := range count {
		future := make(chan int, 1)
		sink = future
		go func() { future <- number }()
		if <-future != number {
			panic("wrong value")
		}
	}
	return each(time.Since(start), count)
}

func yields() float64 {
	const count = 200_000
	var done sync.WaitGroup
	done.Go(func() {
		for range count {
			runtime.Gosched()
		}
	})
	runtime.Gosched()
	start := time.Now()
	for range count {
		runtime.Gosched()
	}
	elapsed := time.Since(start)
	done.Wait()
	return each(elapsed, 2*count)
}

// iter.Pull switches as coroutines do, past the scheduler.
func resume() float64 {
	const count = 200_000
	next, stop := iter.Pull(func(yield func(int) bool) {
		for number := 0; yield(number); number++ {
		}
	})
	defer stop()
	next()
	start := time.Now()
	for range count {
		next()
	}
	return each(time.Since(start), 2*count)
}

func operation() float64 {
	const count = 200_000
	channel := make(chan int, 16)
	sink = channel
	start := time.Now()
	for number := range count {
		channel <- number
		<-channel
	}
	return each(time.Since(start), 2*count)
}

func messages(capacity int) float64 {
	const count = 200_000
	channel := make(chan int, capacity)
	start := time.Now()
	go func() {
		for number := range count {
			channel <- number
		}
		close(channel)
	}()
	received := 0
	for range channel {
		received++
	}
	if received != count {
		panic("messages are missing")
	}
	return each(time.Since(start), count)
}

func choose() float64 {
	const count = 100_000
	channels := [2]chan int{make(chan int, 1), make(chan int, 1)}
	start := time.Now()
	for number := range count {
		channels[number%2] <- number
		select {
		case <-channels[0]:
		case <-channels[1]:
		}
	}
	return each(time.Since(start), count)
}

func future() float64 {
	const count = 100_000
	start := time.Now()
	for number := range count {
		future := make(chan int, 1)
		sink = future
		future <- number
		if <-future != number {
			panic("wrong value")
		}
	}
	return each(time.Since(start), count)
}

func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func bytesOfFuture() float64 {
	const count = 20_000
	futures := make([]chan int, count)
	before := heap()
	for index := range futures {
		futures[index] = make(chan int, 1)
	}
	after := heap()
	runtime.KeepAlive(futures)
	return float64(after-before) / count
}

func resident() int {
	status, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		panic(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(status))[1])
	if err != nil {
		panic(err)
	}
	return pages * os.Getpagesize()
}

func bytesOfTask() float64 {
	const count = 100_000
	gate := make(chan struct{})
	var arrived, ended sync.WaitGroup
	before := resident()
	for range count {
		arrived.Add(1)
		ended.Add(1)
		go func() {
			arrived.Done()
			<-gate
			ended.Done()
		}()
	}
	arrived.Wait()
	after := resident()
	close(gate)
	ended.Wait()
	return float64(after-before) / count
}

func main() {
	runtime.GOMAXPROCS(1)
	least := func(measure func() float64) float64 {
		return min(measure(), measure())
	}
	var result float64
	switch os.Args[1] {
	case "join":
		result = least(join)
	case "detached":
		result = least(detached)
	case "await":
		result = least(await)
	case "yield":
		result = least(yields)
	case "resume":
		result = least(resume)
	case "operation":
		result = least(operation)
	case "buffered":
		result = least(func() float64 { return messages(1024) })
	case "rendezvous":
		result = least(func() float64 { return messages(0) })
	case "select":
		result = least(choose)
	case "future":
		result = least(future)
	case "future-bytes":
		result = bytesOfFuture()
	case "task-bytes":
		// A collection in between would count in part.
		debug.SetGCPercent(-1)
		result = bytesOfTask()
	default:
		os.Exit(3)
	}
	fmt.Printf("%.3f\n", result)
}
