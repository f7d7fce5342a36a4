package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"popmigrate/preflight"
)

// writeText prints a line for each maildrop, cut at width, then servers, sums
// and problems.
func (f *flight) writeText(w io.Writer, width int) {
	if f.headed {
		fmt.Fprintf(w, "Job %q\n", f.job.Name)
	}
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "MAILDROP\tREADY\tMESSAGES\tOCTETS\tTLS\tCERT\tLOGIN\tUIDL\tTOP\tPIPELINING\tREMARK")
	for _, a := range f.report.Accounts {
		fmt.Fprintln(table, strings.Join(flightRow(a), "\t"))
	}
	_ = table.Flush() // to memory
	for line := range strings.Lines(text.String()) {
		fmt.Fprintln(w, capped(strings.TrimRight(line, " \n"), width))
	}
	fmt.Fprintln(w)
	f.writeServers(w)
	f.writeTotals(w)
	f.writeProblems(w)
	fmt.Fprintln(w, f.verdict())
	if f.headed {
		fmt.Fprintln(w)
	}
}

// flightRow is a maildrop's line.
func flightRow(a *preflight.Account) []string {
	row := []string{plain(a.Name), "NO", "-", "-", "-", "-", "-", "-", "-", "-", ""}
	if a.Ready {
		row[1] = "yes"
	}
	if a.Messages != nil {
		row[2], row[3], row[7] = number(*a.Messages), octets(*a.Octets), a.UniqueIDs.Quality
		row[8] = map[string]string{"announced": "yes", "works": "yes", "refused": "no", "avoided": "avoid"}[a.Top]
		row[9] = yesNo(a.Pipelining)
		if row[8] == "" {
			row[8] = "?"
		}
	}
	if a.TLS != nil {
		row[4], row[5] = dash(a.TLS.Version), daysLeft(a.TLS)
	} else if a.Greeting != "" {
		row[4] = "none"
	}
	row[6] = dash(plain(a.Mechanism))
	row[10] = remark(a)
	return row
}

// remark is what matters most about a maildrop: why it is not ready, or what
// there is to know of it.
func remark(a *preflight.Account) string {
	var causes []string
	for _, f := range a.Findings {
		if f.Blocks {
			return plain(f.Cause + ": " + f.Detail)
		}
		causes = append(causes, f.Cause)
	}
	return plain(strings.Join(causes, "; "))
}

func daysLeft(t *preflight.TLS) string {
	const years = 3650
	switch {
	case t.DaysLeft < 0:
		return "expired"
	case t.DaysLeft > years:
		return ">10y"
	}
	return strconv.Itoa(t.DaysLeft) + "d"
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// writeServers tells once of each server what its maildrops have in common.
func (f *flight) writeServers(w io.Writer) {
	const most = 20
	servers := f.report.Servers()
	for _, a := range servers[:min(len(servers), most)] {
		fmt.Fprintf(w, "%-11s %s\n", "Server:", plain(serverText(a)))
		if a.TLS != nil {
			fmt.Fprintf(w, "            %s\n", plain(certificateText(a.TLS)))
		}
	}
	if more := len(servers) - most; more > 0 {
		fmt.Fprintf(w, "            and %s; --json and --csv have all\n", counted(int64(more), "more server"))
	}
}

// serverText is a server in one line.
func serverText(a *preflight.Account) string {
	text := a.Server
	if a.Address != "" && a.Address != a.Server {
		text += " (" + a.Address + ")"
	}
	if len(a.Profiles) > 0 {
		text += ", recognised as " + strings.Join(a.Profiles, ", ")
	}
	if a.Greeting != "" {
		text += fmt.Sprintf(", says %q", capped(a.Greeting, 60))
	}
	if a.TLS != nil && a.TLS.Version != "" {
		text += ", " + a.TLS.Version + " " + a.TLS.Cipher
	}
	return text
}

// certificateText is a certificate in one line.
func certificateText(t *preflight.TLS) string {
	const most = 3
	names := t.Names
	more := ""
	if len(names) > most {
		names, more = names[:most], ", …"
	}
	whose := t.Subject
	if len(names) > 0 {
		whose = strings.Join(names, ", ") + more
	}
	return fmt.Sprintf("certificate for %s by %s, until %s (%s), SHA-256 %s", whose, t.Issuer, t.NotAfter.Format(time.DateOnly), daysText(t.DaysLeft), t.Pin)
}

func daysText(days int) string {
	if days < 0 {
		return "EXPIRED"
	}
	return counted(int64(days), "day") + " left"
}

// writeTotals prints the sums.
func (f *flight) writeTotals(w io.Writer) {
	t := &f.totals
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-11s %s\n", name+":", plain(fmt.Sprintf(format, args...)))
	}
	counts := fmt.Sprintf("%s: %s ready, %s not", number(int64(t.Accounts)), number(int64(t.Ready)), number(int64(t.NotReady)))
	if t.NotTried > 0 {
		counts += fmt.Sprintf(" (%s not tried)", number(int64(t.NotTried)))
	}
	line("Maildrops", "%s; %s", counts, span(f.report.Elapsed))
	estimate := fmt.Sprintf("%s, %s listed in those that are ready", counted(t.Messages, "message"), octets(t.Octets))
	if a := t.Largest(); a != nil && t.Ready > 1 {
		estimate += fmt.Sprintf("; the largest is %s with %s", a.Name, octets(*a.Octets))
	}
	line("To read", "%s", estimate)
	if t.EachRun > 0 {
		line("Each run", "%s will be read again by every run, for want of good unique-ids", counted(t.EachRun, "message"))
	}
}

// writeProblems prints what there is to know, by cause, and what helps.
func (f *flight) writeProblems(w io.Writer) {
	const examples = 3
	for _, g := range preflight.Groups(f.report.Accounts) {
		intro := "To know"
		if g.Blocks {
			intro = "NOT ready"
		}
		fmt.Fprintf(w, "%s: %s, %s.", intro, plain(g.Cause), counted(int64(len(g.Accounts)), "account"))
		if g.Help != "" {
			fmt.Fprintf(w, " What helps: %s.", plain(strings.TrimSuffix(g.Help, ".")))
		}
		names := g.Accounts[:min(len(g.Accounts), examples)]
		list := strings.Join(names, ", ")
		if more := len(g.Accounts) - examples; more > 0 {
			list += fmt.Sprintf(", and %s more", number(int64(more)))
		}
		fmt.Fprintf(w, "\n    %s\n", plain(list))
		if g.Detail != "" {
			intro := ""
			if len(g.Accounts) > 1 {
				intro = "the first: "
			}
			fmt.Fprintf(w, "    %s%s\n", intro, plain(g.Detail))
		}
	}
}
