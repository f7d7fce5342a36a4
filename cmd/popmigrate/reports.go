package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"popmigrate/migrate"
)

// The files in runs/<run id> of a job's state directory.
const (
	runsDir      = "runs"
	summaryFile  = "summary.json"
	accountsFile = "accounts.csv"
	failedFile   = "failed.csv"
	logFile      = "run.log"
)

// Columns that are read again by --failed.
const (
	nameColumn  = "maildrop"
	stateColumn = "state"
)

var accountColumns = []string{nameColumn, stateColumn, "class", "reason", "hint", "listed", "stored", "known", "skipped", "failed",
	"verified", "accepted", "marked", "gone", "kept", "held", "late", "octets", "attempts", "seconds"}

var failedColumns = []string{nameColumn, "class", "reason", "hint", "attempts"}

// writeReports writes what a job came to into r.dir. A dry run leaves no
// failed.csv: what it says of maildrops does not outdate what a run said.
func writeReports(r *result) error {
	err := errors.Join(
		writeFile(filepath.Join(r.dir, summaryFile), func(w io.Writer) error {
			out := json.NewEncoder(w)
			out.SetEscapeHTML(false)
			out.SetIndent("", "  ")
			s := r.summary()
			return out.Encode(&s)
		}),
		writeFile(filepath.Join(r.dir, accountsFile), func(w io.Writer) error {
			return writeAccounts(w, r.report.Accounts, accountColumns, func(*migrate.AccountReport) bool { return true })
		}))
	if r.dryRun || err != nil {
		return err
	}
	return writeFile(filepath.Join(r.dir, failedFile), func(w io.Writer) error {
		return writeAccounts(w, r.report.Accounts, failedColumns, func(a *migrate.AccountReport) bool { return !a.Complete })
	})
}

// writeFile writes a file that only its owner can read.
func writeFile(path string, write func(w io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// writeAccounts writes a line for each wanted account: the account list's own
// columns in their order, then ours. A column of the list that is called like
// one of ours is left out: it comes from an earlier report that was fed back.
func writeAccounts(w io.Writer, accounts []migrate.AccountReport, ours []string, wanted func(*migrate.AccountReport) bool) error {
	var theirs []string // accounts outside the list lack them
	for i := range accounts {
		theirs = addColumns(theirs, ours, accounts[i].Account)
	}
	out := csv.NewWriter(w)
	_ = out.Write(slices.Concat(theirs, ours)) // errors stay until Error
	for i := range accounts {
		a := &accounts[i]
		if !wanted(a) {
			continue
		}
		row := make([]string, 0, len(theirs)+len(ours))
		for _, name := range theirs {
			row = append(row, fieldOf(a.Account, name))
		}
		for _, name := range ours {
			row = append(row, cell(a, name))
		}
		_ = out.Write(row)
	}
	out.Flush()
	return out.Error()
}

// addColumns adds those of an account's list that are not there and not ours.
func addColumns(theirs, ours []string, account *migrate.Account) []string {
	for _, field := range account.Fields {
		if !slices.Contains(theirs, field.Name) && !isOurs(ours, field.Name) {
			theirs = append(theirs, field.Name)
		}
	}
	return theirs
}

func isOurs(ours []string, name string) bool {
	return slices.ContainsFunc(ours, func(our string) bool { return strings.EqualFold(our, name) })
}

func fieldOf(a *migrate.Account, name string) string {
	for _, field := range a.Fields {
		if field.Name == name {
			return field.Value
		}
	}
	return ""
}

// cell returns what an account's report says under one of our columns.
func cell(a *migrate.AccountReport, column string) string {
	c := &a.Counts
	whole := func(n int64) string { return strconv.FormatInt(n, 10) }
	switch column {
	case nameColumn:
		return a.Account.Name
	case stateColumn:
		return stateOf(a)
	case "class":
		return string(a.Class)
	case "reason":
		return plain(a.Reason)
	case "hint":
		if a.Complete && a.Class == migrate.ClassNone {
			return ""
		}
		return plain(helpAgainst(a))
	case "listed":
		if !a.EverSeen {
			return "" // not known, which is not none
		}
		return whole(c.Listed)
	case "stored":
		return whole(c.Stored)
	case "known":
		return whole(c.Known)
	case "skipped":
		return whole(c.Skipped)
	case "failed":
		return whole(c.Failed)
	case "verified":
		return whole(c.Verified)
	case "accepted":
		return whole(c.Accepted)
	case "marked":
		return whole(c.Marked)
	case "gone":
		return whole(c.Gone)
	case "kept":
		return whole(c.Kept)
	case "held":
		return whole(c.Held)
	case "late":
		return whole(c.Late)
	case "octets":
		return whole(c.Octets)
	case "attempts":
		return strconv.Itoa(a.Attempts)
	case "seconds":
		return strconv.FormatFloat(seconds(a.Elapsed), 'f', 3, 64)
	}
	return ""
}
