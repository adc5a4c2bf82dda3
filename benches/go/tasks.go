package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func yields(tasks, rounds int) {
	origin := time.Now()
	var here, begun, ended, running atomic.Int64
	running.Store(int64(tasks))
	var all sync.WaitGroup
	all.Add(tasks)
	for range tasks {
		go func() {
			here.Add(1)
			for here.Load() < int64(tasks) {
				runtime.Gosched()
			}
			runtime.Gosched()
			if begun.Load() == 0 {
				begun.CompareAndSwap(0, int64(time.Since(origin)))
			}
			for range rounds {
				runtime.Gosched()
			}
			if running.Add(-1) == 0 {
				ended.Store(int64(time.Since(origin)))
			}
			all.Done()
		}()
	}
	all.Wait()
	reportPerOperation(time.Duration(ended.Load()-begun.Load()), tasks*rounds)
}

func spawnAndFinish(count int) {
	const batch = 1000
	var finished atomic.Int64
	start := time.Now()
	for done := int64(batch); done <= int64(count); done += batch {
		for range batch {
			go func() { finished.Add(1) }()
		}
		for finished.Load() < done {
			runtime.Gosched()
		}
	}
	reportPerOperation(time.Since(start), count)
}

// Resident pages and page tables, in bytes.
func memory() int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	kib := 0
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmRSS:") || strings.HasPrefix(line, "VmPTE:") {
			value, _ := strconv.Atoi(strings.Fields(line)[1])
			kib += value
		}
	}
	return kib * 1024
}

// All wait on one channel, the leanest way for many goroutines to be woken one by one.
func parked(count int) {
	gate := make(chan struct{})
	var arrived, finished atomic.Int64
	before := memory()
	start := time.Now()
	for range count {
		go func() {
			arrived.Add(1)
			<-gate
			finished.Add(1)
		}()
	}
	for arrived.Load() < int64(count) {
		runtime.Gosched()
	}
	created := time.Since(start)
	bytes := memory() - before
	start = time.Now()
	for range count {
		gate <- struct{}{}
	}
	for finished.Load() < int64(count) {
		runtime.Gosched()
	}
	woken := time.Since(start)
	each := func(total float64) float64 { return total / float64(count) }
	fmt.Printf("RESULT bytes=%.1f create_ns=%.1f wake_ns=%.1f\n",
		each(float64(bytes)), each(float64(created.Nanoseconds())), each(float64(woken.Nanoseconds())))
}

// Go has no join handle: results travel over a channel, as in the original benchmark.
func skynet(leaves int) {
	var node func(out chan<- int, first, size int)
	node = func(out chan<- int, first, size int) {
		if size == 1 {
			out <- first
			return
		}
		sums := make(chan int, 10)
		child := size / 10
		for i := range 10 {
			go node(sums, first+i*child, child)
		}
		sum := 0
		for range 10 {
			sum += <-sums
		}
		out <- sum
	}
	start := time.Now()
	out := make(chan int, 1)
	node(out, 0, leaves)
	if <-out != leaves*(leaves-1)/2 {
		panic("wrong sum")
	}
	fmt.Printf("RESULT ms=%.4f\n", float64(time.Since(start).Nanoseconds())/1e6)
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}

func timers(count int) {
	delays := make([]time.Duration, count)
	for i := range delays {
		delays[i] = time.Duration(i * 1_000_000_000 / count)
	}
	state := uint64(0x9e3779b97f4a7c15)
	for i := count - 1; i > 0; i-- {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		j := state % uint64(i+1)
		delays[i], delays[j] = delays[j], delays[i]
	}
	late := make([]int64, count)
	before := cpuSeconds()
	var all sync.WaitGroup
	all.Add(count)
	for i, delay := range delays {
		go func() {
			due := time.Now().Add(delay)
			time.Sleep(delay)
			late[i] = int64(time.Since(due))
			all.Done()
		}()
	}
	all.Wait()
	cpu := cpuSeconds() - before
	slices.Sort(late)
	fmt.Printf("RESULT cpu_s=%.4f late_us=%.4f late_p99_us=%.4f\n",
		cpu, float64(late[count/2])/1e3, float64(late[count*99/100])/1e3)
}
