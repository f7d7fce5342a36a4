// Package bench holds benchmarks of whole runs and the goals that
// docs/performance.md reports on. It has tests only: nothing imports it.
//
//	go test -bench . -benchmem ./bench                  in-process, for profiles
//	go test ./bench -run Goals -goals -timeout 3h       the goals, side by side with other clients
package bench
