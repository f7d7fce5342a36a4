package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"popmigrate/checkpoint"
	"popmigrate/migrate"
)

func complete() migrate.AccountReport {
	return migrate.AccountReport{EverSeen: true, Complete: true, Counts: migrate.Counts{Listed: 2, Stored: 2}}
}

// but returns a complete report with a change.
func but(change func(*migrate.AccountReport)) migrate.AccountReport {
	r := complete()
	change(&r)
	return r
}

func TestExitOfRun(t *testing.T) {
	refused := migrate.AccountReport{Class: migrate.ClassCredential}
	damaged := but(func(r *migrate.AccountReport) { r.Class = migrate.ClassArchive })
	unaudited := but(func(r *migrate.AccountReport) { r.Unaudited = 1 })
	holes := but(func(r *migrate.AccountReport) { r.Complete = false; r.Counts.Stored, r.Counts.Failed = 1, 1 })
	unbalanced := but(func(r *migrate.AccountReport) { r.Counts.Stored = 1 })
	nothing := migrate.AccountReport{EverSeen: true, Counts: migrate.Counts{Listed: 2, Failed: 2}}
	for _, c := range []struct {
		name     string
		accounts []migrate.AccountReport
		change   func(*migrate.Report)
		err      error
		want     exitCode
	}{
		{name: "no account", want: exitComplete},
		{name: "all complete", accounts: []migrate.AccountReport{complete(), complete()}, want: exitComplete},
		{name: "unaudited", accounts: []migrate.AccountReport{complete(), unaudited}, want: exitUnaudited},
		{name: "holes", accounts: []migrate.AccountReport{holes}, want: exitIncomplete},
		{name: "holes and unaudited", accounts: []migrate.AccountReport{holes, unaudited}, want: exitIncomplete},
		{name: "unbalanced", accounts: []migrate.AccountReport{complete(), unbalanced}, want: exitIncomplete},
		{name: "one refused", accounts: []migrate.AccountReport{complete(), refused}, want: exitIncomplete},
		{name: "all refused", accounts: []migrate.AccountReport{refused, refused}, want: exitNoAccount},
		{name: "nothing stored", accounts: []migrate.AccountReport{nothing, refused}, want: exitNoAccount},
		{name: "budget", accounts: []migrate.AccountReport{refused}, change: func(r *migrate.Report) { r.Budget = true }, want: exitBudget},
		{name: "damaged", accounts: []migrate.AccountReport{damaged, refused}, change: func(r *migrate.Report) { r.Budget = true }, want: exitVerification},
		{name: "interrupted", accounts: []migrate.AccountReport{damaged}, change: func(r *migrate.Report) { r.Interrupted = true }, want: exitInterrupted},
		{name: "ledger failed", accounts: []migrate.AccountReport{damaged}, err: checkpoint.ErrFull, want: exitStart},
	} {
		report := &migrate.Report{Accounts: c.accounts}
		if c.change != nil {
			c.change(report)
		}
		if got := exitOfRun(report, c.err); got != c.want {
			t.Errorf("%s: exit %d, want %d", c.name, got, c.want)
		}
	}
}

func TestExitOf(t *testing.T) {
	for _, c := range []struct {
		err  error
		want exitCode
	}{
		{nil, exitComplete},
		{errors.New("disk"), exitStart},
		{usage("what"), exitUsage},
		{fmt.Errorf("open: %w", checkpoint.ErrLocked), exitLocked},
		{&checkpoint.Error{Err: fmt.Errorf("%w: held by process 1", checkpoint.ErrLocked)}, exitLocked},
		{fmt.Errorf("read: %w", context.Canceled), exitInterrupted},
		{exitWith(exitBudget), exitBudget},
	} {
		if got := exitOf(c.err); got != c.want {
			t.Errorf("%v: exit %d, want %d", c.err, got, c.want)
		}
	}
}

// The order in which codes apply is part of the interface.
func TestWorse(t *testing.T) {
	order := []exitCode{80, 1, 8, 130, 6, 5, 7, 3, 4, 0}
	if len(order) != len(exits) {
		t.Fatalf("%d codes, want %d", len(exits), len(order))
	}
	for i, a := range order {
		for _, b := range order[i:] {
			if worse(a, b) != a || worse(b, a) != a {
				t.Errorf("of %d and %d not %d is taken", a, b, a)
			}
		}
	}
	if got := exitIncomplete.lastLine(); got != "Exit 3 (incomplete)" {
		t.Error(got)
	}
}

// golden compares got with a file; GOLDEN=write writes it anew.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/golden/" + name
	if os.Getenv("GOLDEN") == "write" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != strings.ReplaceAll(string(want), "\r\n", "\n") {
		t.Errorf("%s differs; got\n%s", path, got)
	}
}
