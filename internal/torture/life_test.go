package torture

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"testing/synctest"

	"popmigrate/checkpoint"
	"popmigrate/internal/durable/durabletest"
	"popmigrate/internal/spool"
	"popmigrate/migrate"
)

// plan is what befalls one process. The zero value lets it live.
type plan struct {
	crashAt int              // the event at which it dies; 0: it does not
	fate    durabletest.Fate // what its death, or the power cut after its end, leaves
	cutOff  bool             // the power is cut after its end, if it lives so long
	repair  bool             // it is told to repair
	piece   int              // the most octets that one read of its gets; 0: all there are

	cuts map[int]cut // by connection to the POP3 server, from 1
	smtp map[int]cut // by connection to the SMTP server

	// fault, where set, is asked before each file-system call, with the call's
	// number in this life, and fails the call with what it returns.
	fault func(n int, call durabletest.Call) error
}

// cut says where a cable breaks.
type cut struct {
	after int64 // octets received
	lose  bool  // what was sent and not yet read by the server is lost
}

// life is one process, from its start to its end.
type life struct {
	world *world
	plan  plan

	mu       sync.Mutex
	events   int
	calls    int // of the file system
	kinds    []string
	dead     bool
	lines    []*line
	pops     int // connections to the POP3 server
	smtps    int
	received int64
	cuts     int
}

// ending is what became of a process.
type ending struct {
	report *migrate.Report
	err    error
	died   bool
	*life
}

// done tells whether the process says that nothing is left to do.
func (e *ending) done() bool {
	if e.died || e.err != nil || e.report == nil {
		return false
	}
	a := &e.report.Accounts[0]
	return a.Complete && a.Unaudited == 0 && a.Class == migrate.ClassNone
}

// why says what the process ended with.
func (e *ending) why() string {
	switch {
	case e.died:
		return "died"
	case e.err != nil:
		return e.err.Error()
	case e.report == nil:
		return "no report"
	}
	a := &e.report.Accounts[0]
	return fmt.Sprintf("complete=%v unaudited=%d class=%q %s; %+v; %v", a.Complete, a.Unaudited, a.Class, a.Reason, a.Counts, a.Failures)
}

// event counts what the process does; after its death nothing is done.
func (l *life) event(kind string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count(kind)
}

func (l *life) count(kind string) error {
	if l.dead {
		return durabletest.ErrCrashed
	}
	l.events++
	l.kinds = append(l.kinds, kind)
	if l.events != l.plan.crashAt {
		return nil
	}
	l.dead = true
	for _, each := range l.lines {
		each.hangUp()
	}
	return durabletest.ErrCrashed
}

// hangUp is what the system does with a dead process's connections: what was
// sent still arrives.
func (l *line) hangUp() {
	if end, ok := l.Conn.(*end); ok {
		end.CloseWrite()
		end.in.end(durabletest.ErrCrashed, true)
		return
	}
	l.Conn.Close()
}

// call is the hook of the file system.
func (l *life) call(c durabletest.Call) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.count(c.Op); err != nil {
		return err
	}
	l.calls++
	if l.plan.fault != nil {
		return l.plan.fault(l.calls, c)
	}
	return nil
}

func (l *life) receive(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.received += int64(n)
}

// dialPOP connects to the model server.
func (l *life) dialPOP(context.Context, string, string) (net.Conn, error) {
	client, server := connect()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return nil, durabletest.ErrCrashed
	}
	l.pops++
	each := &line{Conn: client, life: l, left: -1}
	c, ok := l.plan.cuts[l.pops]
	if ok {
		each.left = c.after
	}
	each.broken = io.EOF
	if c.lose {
		each.broken = errCut
	}
	each.pull = func() {
		l.mu.Lock()
		l.cuts++
		l.mu.Unlock()
		client.out.end(io.EOF, c.lose)
		client.in.end(each.broken, true)
	}
	l.lines = append(l.lines, each)
	l.world.server.Serve(server)
	return each, nil
}

// dialSMTP connects to the SMTP server.
func (l *life) dialSMTP(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := l.world.smtp.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		conn.Close()
		return nil, durabletest.ErrCrashed
	}
	l.smtps++
	each := &line{Conn: conn, life: l, left: -1}
	if c, ok := l.plan.smtp[l.smtps]; ok {
		each.left = c.after
	}
	each.broken = errCut
	each.pull = func() {
		l.mu.Lock()
		l.cuts++
		l.mu.Unlock()
		conn.Close()
	}
	l.lines = append(l.lines, each)
	return each, nil
}

// live runs the job once, as one process would, and leaves the world as that
// process's end leaves it.
func (w *world) live(p plan) *ending {
	l := &life{world: w, plan: p}
	e := &ending{life: l}
	w.fs.Hook(l.call)
	e.report, e.err = l.run()
	synctest.Wait() // the servers notice the end
	e.died = l.dead
	if e.died || p.cutOff {
		w.fs = w.fs.Crash(p.fate)
	} else {
		w.fs.Hook(nil)
	}
	w.lives++
	if e.died || e.err != nil { // without its ledger a process ends as suddenly
		w.crashes++
	}
	w.breaks += l.cuts
	if *trace {
		w.log(e)
	}
	return e
}

// log prints what a process did and what the server was asked.
func (w *world) log(e *ending) {
	w.t.Logf("life %d: %d events, %d calls: %s", w.lives, e.events, e.calls, e.why())
	log := w.server.Commands("alice")
	for _, command := range log[w.logged:] {
		w.t.Logf("    %s", command)
	}
	w.logged = len(log)
	for _, m := range w.drop.Contents() {
		w.t.Logf("    there: %q %d octets %.6s", m.UniqueID, len(m.Content), digestOf(m.Content))
	}
	ledger, closeLedger, err := w.openLedgerOn(context.Background(), w.fs.Crash(durabletest.KeepAll())) // a copy
	if err != nil {
		w.t.Log(err)
		return
	}
	defer closeLedger()
	drop, err := ledger.Load(context.Background(), checkpoint.Key{Job: "job", Name: "alice"})
	if err != nil {
		w.t.Log(err)
		return
	}
	for _, m := range drop.Messages {
		w.t.Logf("    ledger: %d %q %d/%d octets %.6s, flags %d, %v %d times, %s", m.Ordinal, m.UniqueID, m.Octets, m.ListedOctets,
			m.Digest, m.Flags, m.Mark.State, m.Mark.Tries, copyWords(m.Copies))
	}
	for _, m := range w.smtp.Messages() {
		w.t.Logf("    delivered: connection %d, %.6s", m.Conn, digestOf(m.Octets))
	}
	w.t.Logf("    weak: %v, attempts: %v", drop.Weak, drop.Attempts)
}

func copyWords(copies []checkpoint.Copy) (words []string) {
	for _, c := range copies {
		words = append(words, fmt.Sprintf("%s %v", c.Sink, c.Proof))
	}
	return words
}

func (l *life) run() (*migrate.Report, error) {
	ctx := context.Background()
	w := l.world
	ledger, closeLedger, err := w.openLedger(ctx)
	if err != nil {
		return nil, err
	}
	defer closeLedger()
	room, err := spool.Open(w.spoolDir, 64<<20)
	if err != nil {
		return nil, err
	}
	env := migrate.Env{Ledger: ledger, Spool: room, RunID: "run", TornDir: tornDir, QuarantineDir: quarantine}
	if l.plan.repair {
		env.Repair = migrate.RepairDamaged
	}
	return migrate.Run(ctx, w.job(l), &env)
}
