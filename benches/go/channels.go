package main

import (
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"time"
)

// As in ../src/channels/mod.rs.
const (
	crowdSize    = 8
	capacity     = 128
	ringSize     = 503
	lockers      = 64
	lastPrime    = 17_389
	primesInAll  = 2_000
	footprintsOf = 100_000
)

func reportRate(elapsed time.Duration, messages int) {
	fmt.Printf("RESULT mps=%.4f\n", float64(messages)/elapsed.Seconds()/1e6)
}

func pingpong(messages int) {
	there, back := make(chan int), make(chan int)
	start := time.Now()
	go func() {
		for value := range there {
			back <- value + 1
		}
	}()
	for round := range messages / 2 {
		there <- round
		if <-back != round+1 {
			panic("wrong answer")
		}
	}
	reportPerOperation(time.Since(start), messages)
}

// Go's channels have an end.
func hasNone(size string) bool {
	if size == "unbounded" {
		fmt.Println("RESULT")
	}
	return size == "unbounded"
}

func buffered(size string, messages int) {
	if hasNone(size) {
		return
	}
	capacity, err := strconv.Atoi(size)
	if err != nil {
		panic(err)
	}
	channel := make(chan int, capacity)
	start := time.Now()
	go func() {
		for value := range messages {
			channel <- value
		}
		close(channel)
	}()
	received := 0
	for range channel {
		received++
	}
	if received != messages {
		panic("messages are missing")
	}
	reportRate(time.Since(start), messages)
}

func crowd(messages int) {
	channel := make(chan int, capacity)
	var senders, receivers sync.WaitGroup
	start := time.Now()
	for range crowdSize {
		receivers.Go(func() {
			for range channel {
			}
		})
	}
	for range crowdSize {
		senders.Go(func() {
			for value := range messages / crowdSize {
				channel <- value
			}
		})
	}
	senders.Wait()
	close(channel)
	receivers.Wait()
	reportRate(time.Since(start), messages)
}

func selectOfTwo(messages int) {
	one, other := make(chan int, capacity), make(chan int, capacity)
	start := time.Now()
	for _, channel := range []chan int{one, other} {
		go func() {
			for value := range messages / 2 {
				channel <- value
			}
		}()
	}
	for range messages {
		select {
		case <-one:
		case <-other:
		}
	}
	reportPerOperation(time.Since(start), messages)
}

func ring(hops int) {
	first := make(chan int)
	receiver := first
	for range ringSize - 1 {
		from, to := receiver, make(chan int)
		receiver = to
		go func() {
			for token := range from {
				to <- token + 1
			}
		}()
	}
	lap := func() {
		first <- 1
		if <-receiver != ringSize {
			panic("wrong token")
		}
	}
	lap()
	laps := hops / ringSize
	start := time.Now()
	for range laps {
		lap()
	}
	reportPerOperation(time.Since(start), laps*ringSize)
}

func sieve() {
	start := time.Now()
	receiver := make(chan int)
	numbers := receiver
	go func() {
		for number := 2; number <= lastPrime; number++ {
			numbers <- number
		}
		close(numbers)
	}()
	found := 0
	for {
		prime, open := <-receiver
		if !open {
			break
		}
		found++
		from, to := receiver, make(chan int)
		receiver = to
		go func() {
			for number := range from {
				if number%prime != 0 {
					to <- number
				}
			}
			close(to)
		}()
	}
	if found != primesInAll {
		panic("some primes are missing")
	}
	fmt.Printf("RESULT ms=%.4f\n", float64(time.Since(start).Nanoseconds())/1e6)
}

func mutex(operations int) {
	each := operations / lockers
	var lock sync.Mutex
	value := 0
	var all sync.WaitGroup
	start := time.Now()
	for range lockers {
		all.Go(func() {
			for range each {
				lock.Lock()
				value++
				lock.Unlock()
			}
		})
	}
	all.Wait()
	if value != each*lockers {
		panic("increments are missing")
	}
	reportPerOperation(time.Since(start), each*lockers)
}

// Bytes of heap that a channel takes before it is used, as the runtime counts them.
func footprint(size string) {
	if hasNone(size) {
		return
	}
	capacity, err := strconv.Atoi(size)
	if err != nil {
		panic(err)
	}
	channels := make([]chan int, footprintsOf)
	heap := func() int {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return int(stats.HeapAlloc)
	}
	before := heap()
	for i := range channels {
		channels[i] = make(chan int, capacity)
	}
	after := heap()
	runtime.KeepAlive(channels)
	fmt.Printf("RESULT bytes=%.1f\n", float64(after-before)/footprintsOf)
}
