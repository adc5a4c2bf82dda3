package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// The workloads of the benchmarks of Go's own runtime, with their names and parameters, written anew so that their counts can be
// given: ../src/bin/corun/named.rs has the same for corun.

const callsPerSched = 1000

// How many operations a goroutine draws at once.
const grain = 64

var named = map[string]func(count int){
	"ChanUncontended":     chanUncontended,
	"ChanContended":       chanContended,
	"ChanSync":            chanSync,
	"ChanProdCons0":       func(count int) { chanProdCons(count, 0) },
	"ChanProdCons10":      func(count int) { chanProdCons(count, 10) },
	"ChanProdCons100":     func(count int) { chanProdCons(count, 100) },
	"SelectUncontended":   selectUncontended,
	"SelectSyncContended": selectSyncContended,
	"SelectProdCons":      selectProdCons,
	"ChanSem":             chanSem,
	"ChanPopular":         chanPopular,
}

func runNamed(name string, count int) {
	start := time.Now()
	named[name](count)
	reportPerOperation(time.Since(start), count)
}

// Runs body in as many goroutines as there are processors; next tells each whether it is to do one more operation.
func parallel(count int, body func(next func() bool)) {
	var left atomic.Int64
	left.Store(int64(count))
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			drawn := int64(0)
			body(func() bool {
				if drawn == 0 {
					before := left.Add(-grain) + grain
					drawn = max(0, min(grain, before))
					if drawn == 0 {
						return false
					}
				}
				drawn--
				return true
			})
		})
	}
	all.Wait()
}

func chanUncontended(count int) {
	const size = 100
	parallel(count, func(next func() bool) {
		channel := make(chan int, size)
		for next() {
			fillAndEmpty(channel, size)
		}
	})
}

func chanContended(count int) {
	const size = 100
	channel := make(chan int, size*runtime.GOMAXPROCS(0))
	parallel(count, func(next func() bool) {
		for next() {
			fillAndEmpty(channel, size)
		}
	})
}

func fillAndEmpty(channel chan int, size int) {
	for range size {
		channel <- 0
	}
	for range size {
		<-channel
	}
}

func chanSync(count int) {
	const pair = 2
	var left atomic.Int32
	left.Store(int32(count / callsPerSched / pair * pair))
	channel := make(chan int)
	var all sync.WaitGroup
	for range pair {
		all.Go(func() {
			for {
				turn := left.Add(-1)
				if turn < 0 {
					return
				}
				for range callsPerSched {
					if turn%2 == 0 {
						<-channel
						channel <- 0
					} else {
						channel <- 0
						<-channel
					}
				}
			}
		})
	}
	all.Wait()
}

func chanProdCons(count, size int) {
	var left atomic.Int32
	left.Store(int32(count / callsPerSched))
	channel := make(chan int, size)
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				for range callsPerSched {
					channel <- 1
				}
			}
			channel <- 0
		})
		all.Go(func() {
			for <-channel != 0 {
			}
		})
	}
	all.Wait()
}

func selectUncontended(count int) {
	parallel(count, func(next func() bool) {
		one, other := make(chan int, 1), make(chan int, 1)
		one <- 0
		for next() {
			select {
			case <-one:
				other <- 0
			case <-other:
				one <- 0
			}
		}
	})
}

func selectSyncContended(count int) {
	one, two, three := make(chan int), make(chan int), make(chan int)
	done := make(chan int)
	parallel(count, func(next func() bool) {
		go func() {
			for {
				select {
				case one <- 0:
				case two <- 0:
				case three <- 0:
				case <-done:
					return
				}
			}
		}()
		for next() {
			select {
			case <-one:
			case <-two:
			case <-three:
			}
		}
	})
	close(done)
}

// What a goroutine does between two operations.
func localWork(number int) int {
	for range 100 {
		number *= 2
		number /= 2
	}
	return number
}

func selectProdCons(count int) {
	var left atomic.Int32
	left.Store(int32(count / callsPerSched))
	channel, never := make(chan int, 128), make(chan bool)
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			number, late := 0, time.After(time.Hour)
			for left.Add(-1) >= 0 {
				for range callsPerSched {
					number = localWork(number)
					select {
					case channel <- 1:
					case <-late:
					case <-never:
					}
				}
			}
			channel <- number
		})
		all.Go(func() {
			number, late := 0, time.After(time.Hour)
			for {
				select {
				case value := <-channel:
					if value == 0 {
						return
					}
				case <-late:
				case <-never:
				}
				number = localWork(number)
			}
		})
	}
	all.Wait()
}

func chanSem(count int) {
	channel := make(chan struct{}, runtime.GOMAXPROCS(0))
	parallel(count, func(next func() bool) {
		for next() {
			channel <- struct{}{}
			<-channel
		}
	})
}

func chanPopular(count int) {
	const crowd = 1000
	popular := make(chan bool)
	var all sync.WaitGroup
	var channels []chan bool
	for range crowd {
		channel := make(chan bool)
		channels = append(channels, channel)
		all.Go(func() {
			for range count {
				select {
				case <-popular:
				case <-channel:
				}
			}
		})
	}
	for range count {
		for _, channel := range channels {
			channel <- true
		}
	}
	all.Wait()
}
