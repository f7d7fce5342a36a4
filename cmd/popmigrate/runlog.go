package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"popmigrate/migrate"
)

// runLog writes run.log: a line for each event that a person may want to look
// up later. It holds no secrets: nothing that it is told does.
type runLog struct {
	now  func() time.Time
	mu   sync.Mutex
	file *os.File
	out  *bufio.Writer
}

var _ migrate.Observer = (*runLog)(nil)

func openRunLog(dir string) (*runLog, error) {
	file, err := os.OpenFile(filepath.Join(dir, logFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return &runLog{now: time.Now, file: file, out: bufio.NewWriter(file)}, nil
}

// line writes one line. What is written before a crash is in the file when
// flush is asked for.
func (l *runLog) line(flush bool, format string, args ...any) {
	text := l.now().UTC().Format("2006-01-02T15:04:05.000Z") + " " + plain(fmt.Sprintf(format, args...)) + "\n"
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.out.WriteString(text) // an error stays until Close
	if flush {
		_ = l.out.Flush()
	}
}

func (l *runLog) Maildrop(e migrate.MaildropEvent) {
	switch e.State {
	case migrate.Verifying:
		if e.Reason == "" {
			l.line(false, "%s: reading its archives again", e.Account.Name)
		} else {
			l.line(true, "%s: DAMAGED: %s", e.Account.Name, e.Reason)
		}
	case migrate.Connecting:
		l.line(false, "%s: connecting to %s", e.Account.Name, e.Account.Server)
	case migrate.Listed:
		l.line(false, "%s: listed; %d messages with %d octets to fetch", e.Account.Name, e.Messages, e.Octets)
	case migrate.Deleting:
		l.line(true, "%s: deleting", e.Account.Name)
	case migrate.Auditing:
		l.line(false, "%s: looking whether what was deleted is gone", e.Account.Name)
	case migrate.Waiting:
		l.line(true, "%s: waiting until %s: %s", e.Account.Name, e.Until.UTC().Format(time.RFC3339), e.Reason)
	case migrate.Finished:
		if e.Report != nil {
			for i := range e.Report.Repair.Remaining {
				l.line(false, "%s: LOST: %s", e.Account.Name, lostText(&e.Report.Repair.Remaining[i]))
			}
			l.line(true, "%s", accountText(e.Report))
		}
	}
}

func (l *runLog) Message(e migrate.MessageEvent) {
	switch e.Fate {
	case migrate.Skipped:
		l.line(false, "%s: message %q (%d octets) skipped: %s", e.Account.Name, e.UniqueID, e.Octets, e.Reason)
	case migrate.Failed:
		l.line(true, "%s: message %q (%d octets) failed: %s", e.Account.Name, e.UniqueID, e.Octets, e.Reason)
	}
}

func (l *runLog) Octets(int64) {}

func (l *runLog) Host(e migrate.HostEvent) { l.line(true, "%s", hostText(&e)) }

// Close writes what is left; its error is that of any line.
func (l *runLog) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.out.Flush()
	if closing := l.file.Close(); err == nil {
		err = closing
	}
	return err
}
