package main

import (
	"fmt"
	"runtime"
	"time"
)

// Kept out of the loop's view, so that channels are made on the heap as they are in programs.
var promiseSink chan int

// As in ../src/bin/promises.rs, with a channel of one for a promise.
func promises(workload string, count int) {
	start := time.Now()
	switch workload {
	case "create":
		for range count {
			promiseSink = make(chan int, 1)
		}
	case "kept":
		for number := range count {
			promise := make(chan int, 1)
			promiseSink = promise
			promise <- number
			if <-promise != number {
				panic("wrong value")
			}
		}
	case "wait":
		var desk chan int
		go func() {
			for number := range count {
				for desk == nil {
					runtime.Gosched()
				}
				promise := desk
				desk = nil
				promise <- number
				runtime.Gosched()
			}
		}()
		for number := range count {
			promise := make(chan int, 1)
			desk = promise
			if <-promise != number {
				panic("wrong value")
			}
		}
	default:
		fmt.Println("RESULT")
		return
	}
	reportPerOperation(time.Since(start), count)
}
