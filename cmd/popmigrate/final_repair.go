package main

import (
	"fmt"
	"strings"

	"popmigrate/migrate"
)

// repair says what was damaged and what became of it.
func (f *finalBlock) repair() {
	r := &f.t.repair
	if repairOf(r) == nil && !f.r.report.Repair {
		return
	}
	if f.r.report.Repair {
		text := counted(r.Damaged, "copy") + " damaged or missing"
		if r.SetAside > 0 {
			text += fmt.Sprintf(", %s set aside with them", counted(r.SetAside, "sound copy"))
		}
		if r.Files > 0 {
			text += fmt.Sprintf(", %s made anew", counted(r.Files, "derived file"))
		}
		f.line("Damage", "%s", text)
		if r.Damaged+r.SetAside > 0 {
			f.line("Set aside", "%s", f.r.quarantine)
		}
	}
	if r.FromSinks+r.FromQuarantine+r.FromServer > 0 || f.r.report.Repair && r.Damaged+r.SetAside > 0 {
		f.line("Replaced", "%s from another sink, %s from what was set aside, %s from the server",
			number(r.FromSinks), number(r.FromQuarantine), number(r.FromServer))
	}
	switch {
	case r.Lost == 0:
	case !f.r.report.Repair:
		f.line("Lost", "%s, given up in an earlier repair, could not be replaced yet; run --repair names them", counted(r.Lost, "copy"))
	default:
		f.line("Lost", "%s could not be replaced", counted(r.Lost, "copy"))
		f.lost()
	}
}

// lost names the messages of which a copy is lost.
func (f *finalBlock) lost() {
	const most = 20
	named := int64(0)
	for i := range f.r.report.Accounts {
		a := &f.r.report.Accounts[i]
		for k := range a.Repair.Remaining {
			if named++; named > most {
				fmt.Fprintf(f.w, "    and %s more; run.log has %s for each maildrop\n", number(f.t.repair.Lost-most), number(migrate.MaxFailuresReported))
				return
			}
			text := a.Account.Name + ": " + lostText(&a.Repair.Remaining[k])
			if !a.EverSeen {
				text = strings.Replace(text, notListed, "the server could not be asked", 1)
			}
			fmt.Fprintf(f.w, "    %s\n", plain(text))
		}
	}
}

const notListed = "the server does not list it any more"

// lostText names a message of which a copy is lost.
func lostText(l *migrate.LostMessage) string {
	text := fmt.Sprintf("message %d, unique-id %q", l.Message, l.UniqueID)
	if l.MessageID != "" {
		text += ", Message-ID " + l.MessageID
	}
	text += fmt.Sprintf(", %s, was in sink %q at %s", octets(l.Octets), l.Sink, l.Where)
	switch {
	case l.Listed:
		text += ": the server lists it, but it could not be fetched"
	default:
		text += ": " + notListed
	}
	if l.Elsewhere {
		text += "; another sink has it or has delivered it"
	}
	return text
}
