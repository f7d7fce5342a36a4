package main

import (
	"encoding/csv"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"popmigrate/preflight"
)

// accountSeenLine is what a preflight saw of one maildrop.
type accountSeenLine struct {
	MessageType string `json:"message_type"` // "account"
	Job         string `json:"job"`
	*preflight.Account
}

// flightSummary is a job's last line.
type flightSummary struct {
	MessageType string  `json:"message_type"` // "summary"
	Version     string  `json:"version"`
	Job         string  `json:"job"`
	Exit        int     `json:"exit"`
	ExitName    string  `json:"exit_name"`
	Interrupted bool    `json:"interrupted"`
	Seconds     float64 `json:"seconds"`
	preflight.Totals
	Problems []flightProblem `json:"problems"`
}

// flightProblem is one cause and how many it befalls.
type flightProblem struct {
	preflight.Finding
	Accounts int `json:"accounts"`
}

func writeAccountSeen(w io.Writer, job string, account *preflight.Account) {
	_ = jsonLines(w).Encode(&accountSeenLine{"account", job, account})
}

func (f *flight) writeSummary(w io.Writer) {
	s := flightSummary{MessageType: "summary", Version: version(), Job: f.job.Name, Exit: int(f.code), ExitName: f.code.String(),
		Interrupted: f.report.Interrupted, Seconds: seconds(f.report.Elapsed), Totals: f.totals, Problems: []flightProblem{}}
	for _, g := range preflight.Groups(f.report.Accounts) {
		s.Problems = append(s.Problems, flightProblem{g.Finding, len(g.Accounts)})
	}
	_ = jsonLines(w).Encode(&s)
}

var flightColumns = []string{"job", nameColumn, "ready", "class", "cause", "reason", "hint", "remarks", "messages", "octets", "address", "tls",
	"certificate_issuer", "certificate_until", "certificate_days", "certificate_sha256", "login", "unique_ids", "top", "pipelining", "recognised_as", "seconds"}

// writeFlights writes the account lists' own columns and what was seen.
func writeFlights(path string, flights []*flight) error {
	return writeFile(path, func(w io.Writer) error {
		var theirs []string // accounts outside a list lack them
		for _, f := range flights {
			for _, a := range f.report.Accounts {
				theirs = addColumns(theirs, flightColumns, a.Of)
			}
		}
		out := csv.NewWriter(w)
		_ = out.Write(slices.Concat(theirs, flightColumns)) // errors stay until Error
		for _, f := range flights {
			for _, a := range f.report.Accounts {
				var row []string
				for _, name := range theirs {
					row = append(row, fieldOf(a.Of, name))
				}
				for _, name := range flightColumns {
					row = append(row, flightCell(f.job.Name, a, name))
				}
				_ = out.Write(row)
			}
		}
		out.Flush()
		return out.Error()
	})
}

// flightCell returns what was seen of a maildrop under one of our columns.
func flightCell(job string, a *preflight.Account, column string) string {
	switch column {
	case "job":
		return job
	case nameColumn:
		return a.Name
	case "ready":
		return yesNo(a.Ready)
	case "class":
		return string(a.Class)
	case "cause", "reason", "hint":
		return blockerCell(a, column)
	case "remarks":
		return remarks(a)
	case "address":
		return a.Address
	case "login":
		return plain(a.Mechanism)
	case "recognised_as":
		return strings.Join(a.Profiles, "; ")
	case "seconds":
		return strconv.FormatFloat(a.Seconds, 'f', 3, 64)
	case "messages", "octets", "unique_ids", "top", "pipelining":
		return listingCell(a, column)
	}
	return certificateCell(a.TLS, column)
}

// blockerCell tells of the first finding that keeps a maildrop from being ready.
func blockerCell(a *preflight.Account, column string) string {
	for _, f := range a.Findings {
		if f.Blocks {
			return plain(map[string]string{"cause": f.Cause, "reason": f.Detail, "hint": f.Help}[column])
		}
	}
	return ""
}

// remarks are all other findings.
func remarks(a *preflight.Account) string {
	var list []string
	for _, f := range a.Findings {
		if !f.Blocks {
			list = append(list, f.Cause+": "+f.Detail)
		}
	}
	return plain(strings.Join(list, "; "))
}

// listingCell is empty where nothing is known, which is not none.
func listingCell(a *preflight.Account, column string) string {
	if a.Messages == nil {
		return ""
	}
	switch column {
	case "messages":
		return strconv.FormatInt(*a.Messages, 10)
	case "octets":
		return strconv.FormatInt(*a.Octets, 10)
	case "unique_ids":
		return a.UniqueIDs.Quality
	case "top":
		return a.Top
	}
	return yesNo(a.Pipelining)
}

func certificateCell(t *preflight.TLS, column string) string {
	if t == nil {
		return ""
	}
	switch column {
	case "tls":
		return t.Version
	case "certificate_issuer":
		return plain(t.Issuer)
	case "certificate_until":
		return t.NotAfter.Format(time.DateOnly)
	case "certificate_days":
		return strconv.Itoa(t.DaysLeft)
	}
	return t.Pin
}
