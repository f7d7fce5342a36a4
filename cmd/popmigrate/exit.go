package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"popmigrate/checkpoint"
	"popmigrate/migrate"
)

// exitCode is what the program ends with. The codes are part of its interface:
// an unknown one means failure.
type exitCode int

// The exit codes.
const (
	exitComplete     exitCode = 0
	exitStart        exitCode = 1
	exitIncomplete   exitCode = 3 // 2 is what a Go program that crashed ends with
	exitUnaudited    exitCode = 4
	exitBudget       exitCode = 5
	exitVerification exitCode = 6
	exitNoAccount    exitCode = 7
	exitLocked       exitCode = 8
	exitUsage        exitCode = 80
	exitInterrupted  exitCode = 130
)

// exits has every code, in the order in which the first that applies is taken.
var exits = []struct {
	code    exitCode
	name    string
	meaning string
}{
	{exitUsage, "usage", "the command line is wrong"},
	{exitStart, "could not start", "the job, the ledger or the disk did not allow it"},
	{exitLocked, "locked", "another run uses the same ledger"},
	{exitInterrupted, "interrupted", "run the same command again to go on"},
	{exitVerification, "verification failed", "a stored copy is missing or damaged"},
	{exitBudget, "stopped by a limit", "a time window or budget ended the run"},
	{exitNoAccount, "no account succeeded", "not one maildrop could be copied"},
	{exitIncomplete, "incomplete", "some maildrops or messages are missing"},
	{exitUnaudited, "deletion not audited", "all is copied, but no listing has confirmed a deletion yet"},
	{exitComplete, "complete", "all is well"},
}

// String returns the code's name.
func (c exitCode) String() string {
	for _, e := range exits {
		if e.code == c {
			return e.name
		}
	}
	return "unknown"
}

// rank is lower for what matters more.
func (c exitCode) rank() int {
	for i, e := range exits {
		if e.code == c {
			return i
		}
	}
	return 0
}

// worse returns whichever of two codes applies first.
func worse(a, b exitCode) exitCode {
	if b.rank() < a.rank() {
		return b
	}
	return a
}

// lastLine is what every run ends with, so that a log can be judged by its tail.
func (c exitCode) lastLine() string { return fmt.Sprintf("Exit %d (%s)", int(c), c) }

// exitHelp explains the codes a command can end with, for its help text. Its
// lines are indented so that kong leaves them as they are.
func exitHelp(codes ...exitCode) string {
	var b strings.Builder
	b.WriteString("Exit codes (any other means failure):\n\n")
	slices.Sort(codes)
	for _, code := range codes {
		e := &exits[code.rank()]
		fmt.Fprintf(&b, "    %3d  %s: %s\n", int(code), e.name, e.meaning)
	}
	return b.String()
}

// exitError is how a command ends with a code other than 0. Without err all
// that is to be said has been said.
type exitError struct {
	code exitCode
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return e.code.String()
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// exitWith returns nil for exitComplete.
func exitWith(code exitCode) error {
	if code == exitComplete {
		return nil
	}
	return &exitError{code: code}
}

// exitOf returns the code that an error of a command ends with.
func exitOf(err error) exitCode {
	var exit *exitError
	switch {
	case err == nil:
		return exitComplete
	case errors.As(err, &exit):
		return exit.code
	case errors.Is(err, checkpoint.ErrLocked):
		return exitLocked
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	}
	return exitStart
}

// exitOfRun judges a run by its report and the error it ended with.
func exitOfRun(report *migrate.Report, err error) exitCode {
	if report == nil || err != nil {
		return exitOf(err)
	}
	if report.Interrupted {
		return exitInterrupted
	}
	succeeded, complete := false, true
	code := exitComplete
	for i := range report.Accounts {
		a := &report.Accounts[i]
		if a.Class == migrate.ClassArchive || report.Repair && a.Repair.Lost > 0 {
			code = worse(code, exitVerification)
		}
		if a.Unaudited > 0 {
			code = worse(code, exitUnaudited)
		}
		complete = complete && a.Complete && a.Counts.Balanced()
		succeeded = succeeded || a.Complete || a.Counts.Stored+a.Counts.Known > 0
	}
	if report.Budget {
		code = worse(code, exitBudget)
	}
	if !complete {
		code = worse(code, exitIncomplete)
	}
	if !succeeded && len(report.Accounts) > 0 {
		code = worse(code, exitNoAccount)
	}
	return code
}
