package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"popmigrate/jobs"
)

// console is what the program shares with whoever started it. Tests have
// their own.
type console struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string
	signals  func() (<-chan os.Signal, func()) // SIGINT and SIGTERM from now on, until the function is called

	// width returns the columns of the terminal behind w, 0 where there is none.
	width func(w io.Writer) int
}

// system is the console of this process.
func system() *console {
	return &console{in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv, signals: systemSignals, width: systemWidth}
}

func systemSignals() (<-chan os.Signal, func()) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	return signals, func() { signal.Stop(signals) }
}

func systemWidth(w io.Writer) int {
	file, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" || !term.IsTerminal(int(file.Fd())) {
		return 0
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil || width <= 0 {
		return 80
	}
	return width
}

func (c *console) jobsEnv() jobs.Env { return jobs.Env{Getenv: c.getenv} }

// stopper ends a run on request: the first signal closes quiesce, so that the
// run finishes what it has in hand; the second one cancels the context.
type stopper struct {
	context.Context
	quiesce chan struct{}
	release func()
}

// gently returns a stopper for commands that can finish what they have in
// hand. The caller calls release.
func (a *app) gently() *stopper {
	ctx, cancel := context.WithCancel(a.ctx)
	signals, unnotify := a.signals()
	s := &stopper{Context: ctx, quiesce: make(chan struct{})}
	done := make(chan struct{})
	s.release = func() { unnotify(); cancel(); <-done }
	go func() {
		defer close(done)
		select {
		case <-signals:
			close(s.quiesce)
			a.screen.line("Interrupted: finishing what is in hand; once more to stop at once.")
		case <-ctx.Done():
			return
		}
		select {
		case <-signals:
			a.screen.line("Interrupted again: stopping at once.")
			cancel()
		case <-ctx.Done():
		}
	}()
	return s
}

// stopped tells whether the run was asked to end.
func (s *stopper) stopped() bool {
	select {
	case <-s.quiesce:
		return true
	default:
		return s.Err() != nil
	}
}

// interruptible returns a context that the first signal cancels.
func (a *app) interruptible() (ctx context.Context, release func()) {
	ctx, cancel := context.WithCancel(a.ctx)
	signals, unnotify := a.signals()
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-signals:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() { unnotify(); cancel(); <-done }
}
