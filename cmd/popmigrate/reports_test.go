package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"popmigrate/migrate"
)

func TestWriteAccounts(t *testing.T) {
	r := mixed()
	r.report.Accounts[0].Account.Fields = []migrate.Field{{Name: "name", Value: "alice@example.net"}, {Name: "Department", Value: "Legal, \"old\""}}
	// A list that an earlier failed.csv was made into: its columns do not pile up.
	r.report.Accounts[2].Account.Fields = []migrate.Field{{Name: "name", Value: "bob@example.net"}, {Name: "Class", Value: "network"}, {Name: "Department", Value: "=HR"}}
	var accounts, failed bytes.Buffer
	all := func(*migrate.AccountReport) bool { return true }
	if err := writeAccounts(&accounts, r.report.Accounts, accountColumns, all); err != nil {
		t.Fatal(err)
	}
	if err := writeAccounts(&failed, r.report.Accounts, failedColumns, func(a *migrate.AccountReport) bool { return !a.Complete }); err != nil {
		t.Fatal(err)
	}
	golden(t, "accounts.csv", accounts.String())
	golden(t, "failed.csv", failed.String())
}

func TestSummaryFields(t *testing.T) {
	s := mixed().summary()
	text, err := json.Marshal(&s)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	want := []string{"accepted", "accounts", "accounts_complete", "empty", "exit", "exit_name", "failed", "gone", "held", "job", "kept",
		"known", "late", "listed", "marked", "message_type", "octets", "reasons", "run_id", "seconds", "skipped", "stored",
		"stored_octets", "verified", "version"}
	if got := slices.Sorted(maps.Keys(fields)); !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// writeRun leaves the reports of a run in a state directory.
func writeRun(t *testing.T, state, id string, dry bool, accounts ...migrate.AccountReport) {
	t.Helper()
	dir := filepath.Join(state, runsDir, id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := writeReports(&result{dir: dir, dryRun: dry, report: &migrate.Report{Accounts: accounts}}); err != nil {
		t.Fatal(err)
	}
}

func TestLastFailed(t *testing.T) {
	state := t.TempDir()
	list := []migrate.Account{*account("a"), *account("b"), *account("c"), *account("new")}
	if _, err := lastFailed(state, list); err == nil {
		t.Error("no run, and no error")
	}
	report := func(i int, ok bool) migrate.AccountReport {
		return migrate.AccountReport{Account: &list[i], EverSeen: true, Complete: ok}
	}
	writeRun(t, state, "1", false, report(0, false), report(1, false), report(2, true))
	writeRun(t, state, "2", false, report(1, true))
	writeRun(t, state, "3", true, report(0, true))
	if err := os.Mkdir(filepath.Join(state, runsDir, "4"), 0o700); err != nil { // was killed
		t.Fatal(err)
	}
	names, err := lastFailed(state, list)
	if err != nil || len(names) != 1 || !names["a"] {
		t.Errorf("got %v, %v", names, err)
	}
	writeRun(t, state, "5", false, report(2, false))
	if names, err = lastFailed(state, list); err != nil || len(names) != 2 || !names["c"] {
		t.Errorf("got %v, %v", names, err)
	}
}
