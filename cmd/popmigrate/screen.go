package main

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"popmigrate/checkpoint"
	"popmigrate/jobs"
	"popmigrate/sinks"
)

// screen is standard error: lines, and on a terminal one line below them that
// is drawn again and again.
type screen struct {
	mu    sync.Mutex
	w     io.Writer
	width func(io.Writer) int
	bar   *progressbar.ProgressBar // nil where nothing is drawn
}

func newScreen(w io.Writer, width func(io.Writer) int) *screen { return &screen{w: w, width: width} }

// terminal tells whether a person may be watching.
func (s *screen) terminal() bool { return s.width(s.w) > 0 }

// line prints one line above what is drawn.
func (s *screen) line(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bar != nil {
		_ = s.bar.Clear()
	}
	fmt.Fprintln(s.w, text)
}

// complain prints an error and what helps.
func (s *screen) complain(err error) {
	var diagnostics *jobs.Diagnostics
	if errors.As(err, &diagnostics) {
		s.mu.Lock()
		defer s.mu.Unlock()
		_ = diagnostics.Text(s.w, uint(s.width(s.w)), false)
		fmt.Fprintf(s.w, "popmigrate: the job file has %s; nothing was done\n", counted(int64(diagnostics.Len()), "problem"))
		return
	}
	s.line("popmigrate: " + plain(err.Error()))
	if hint := hintOf(err); hint != "" {
		s.line("What helps: " + plain(hint))
	}
}

// hintOf returns what an error says a person can do.
func hintOf(err error) string {
	var ledger *checkpoint.Error
	var sink *sinks.Error
	switch {
	case errors.As(err, &ledger):
		return ledger.Hint
	case errors.As(err, &sink):
		return sink.Hint
	}
	return ""
}

// On a terminal a line is drawn often, elsewhere one is printed a minute.
const (
	drawEvery  = 200 * time.Millisecond
	printEvery = time.Minute
)

// watch shows how far something is until the returned function is called:
// line returns the share done, in thousandths, and what is to be said of it.
func (s *screen) watch(line func(now time.Time) (thousandths int, parts []string)) (unwatch func()) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	started, terminal := time.Now(), s.terminal()
	every := printEvery
	if terminal {
		every = drawEvery
	}
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case now := <-ticker.C:
				thousandths, parts := line(now)
				if terminal {
					s.draw(thousandths, parts)
				} else {
					s.line("[" + clock(now.Sub(started)) + "] " + strings.Join(parts, ", "))
				}
			case <-stop:
				s.erase()
				return
			}
		}
	}()
	return func() { close(stop); <-stopped }
}

// draw shows a share done, in thousandths, and as much of the text behind it
// as fits: its parts, from the left.
func (s *screen) draw(thousandths int, parts []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	columns := s.width(s.w)
	barColumns := 20
	if columns < 100 {
		barColumns = 10
	}
	if s.bar == nil {
		s.bar = progressbar.NewOptions(1000,
			progressbar.OptionSetWriter(struct{ io.Writer }{s.w}), // not as a file: it would be synced
			progressbar.OptionSetWidth(barColumns),
			progressbar.OptionSetTheme(progressbar.ThemeASCII),
			progressbar.OptionShowDescriptionAtLineEnd(),
			progressbar.OptionSetPredictTime(false),
			progressbar.OptionSetElapsedTime(false),
			progressbar.OptionUseANSICodes(runtime.GOOS != "windows"))
	}
	const around = 12 // columns of the bar's line beside bar and text
	text := parts[0]
	for _, part := range parts[1:] {
		if len(text)+2+len(part) > columns-barColumns-around {
			break
		}
		text += ", " + part
	}
	s.bar.Describe(capped(text, max(columns-barColumns-around, 1)))
	_ = s.bar.Set(min(thousandths, 999)) // at 1000 it would end itself
}

// erase takes away what is drawn.
func (s *screen) erase() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bar != nil {
		_ = s.bar.Clear()
		s.bar = nil
	}
}
