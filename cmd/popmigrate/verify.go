package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"iter"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"popmigrate/checkpoint"
	"popmigrate/internal/durable"
	"popmigrate/jobs"
	"popmigrate/migrate"
	"popmigrate/sinks"
)

// finding is one thing that is wrong.
type finding struct {
	MessageType string `json:"message_type"` // "problem"
	Account     string `json:"account,omitempty"`
	Sink        string `json:"sink,omitempty"`
	Message     int64  `json:"message,omitempty"` // the ledger's number of it
	UniqueID    string `json:"unique_id,omitempty"`
	Object      string `json:"object"` // a file or folder
	Problem     string `json:"problem"`
}

// verification reads copies again and counts. Its methods may be called from
// many goroutines.
type verification struct {
	app     *app
	subset  subset
	codecs  *sinks.Codecs
	started time.Time
	custody int64 // sound entries of custody records
	broken  bool  // one of these records is

	mu       sync.Mutex
	archives int
	copies   int64 // known
	read     int64 // of them, with any outcome
	octets   int64 // of them
	problems int64
}

func newVerification(a *app, s subset) *verification {
	return &verification{app: a, subset: s, codecs: sinks.NewCodecs(), started: time.Now()}
}

// accounts verifies all local sinks of a job's maildrops, several at once.
func (v *verification) accounts(ctx context.Context, ledger checkpoint.Store, job *jobs.Job) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range job.Job.Accounts {
		group.Go(func() error {
			account := &job.Job.Accounts[i]
			drop, err := ledger.Load(ctx, checkpoint.Key{Job: job.Name, Name: account.Name})
			if err != nil {
				return err
			}
			for k := range account.Sinks {
				if err := v.sink(ctx, account.Name, &account.Sinks[k], drop); err != nil {
					return err
				}
			}
			v.show(len(job.Job.Accounts))
			return nil
		})
	}
	return group.Wait()
}

// unreachable reports maildrops that the ledger knows and the job file does not.
func (v *verification) unreachable(job *jobs.Job, rows []checkpoint.Status) {
	names := make(map[string]bool, len(job.Job.Accounts))
	for i := range job.Job.Accounts {
		names[job.Job.Accounts[i].Name] = true
	}
	missing := int64(0)
	for i := range rows {
		if rows[i].Key.Job == job.Name && !names[rows[i].Key.Name] {
			missing++
		}
	}
	if missing > 0 {
		v.app.note("Warning: %s in the ledger of job %q and no longer in the job file: not verified.", counted(missing, "maildrop"), job.Name)
	}
}

// sink verifies one sink of one maildrop. Its error is that of ctx.
func (v *verification) sink(ctx context.Context, name string, spec *migrate.SinkSpec, drop *checkpoint.Maildrop) error {
	if spec.OpenRead == nil {
		return nil
	}
	var reader sinks.Reader
	for copy := range migrate.VerifiedCopies(drop, spec.Name) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if reader == nil {
			var err error
			if reader, err = spec.OpenRead(ctx); err != nil {
				v.report(finding{Account: name, Sink: spec.Name, Object: name, Problem: err.Error()})
				return nil
			}
			defer reader.Close()
			v.count(func() { v.archives++ })
		}
		if !v.picked(name, &copy) {
			continue
		}
		err := check(ctx, reader, &copy)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		v.checked(name, spec.Name, &copy, err)
	}
	return nil
}

// check reads one copy and compares it.
func check(ctx context.Context, reader sinks.Reader, copy *sinks.Copy) error {
	body, err := reader.Read(ctx, *copy)
	if err != nil {
		return err
	}
	defer body.Close()
	hash := sha256.New()
	n, err := io.Copy(hash, body)
	if err != nil {
		return err
	}
	if sinks.Digest(hash.Sum(nil)) != copy.Digest || n != copy.Octets {
		return fmt.Errorf("%w: the copy of message %d (unique-id %q) at %s differs from what was verified before",
			sinks.ErrDamaged, copy.Ordinal, copy.UniqueID, copy.Where)
	}
	return nil
}

// picked counts a copy and tells whether it is to be read.
func (v *verification) picked(name string, copy *sinks.Copy) bool {
	v.count(func() { v.copies++ })
	return v.subset.has(name, copy.Ordinal)
}

// checked counts a copy that was read.
func (v *verification) checked(account, sink string, copy *sinks.Copy, err error) {
	v.count(func() { v.read++; v.octets += copy.Octets })
	if err != nil {
		f := finding{Account: account, Sink: sink, Message: copy.Ordinal, UniqueID: copy.UniqueID, Object: account, Problem: err.Error()}
		var where *sinks.Error
		if errors.As(err, &where) {
			f.Object = where.Object
		}
		v.report(f)
	}
}

func (v *verification) count(change func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change()
}

// report prints what is wrong, as soon as it is known.
func (v *verification) report(f finding) {
	f.MessageType = "problem"
	v.mu.Lock()
	defer v.mu.Unlock()
	v.problems++
	if v.app.json {
		_ = jsonLines(v.app.out).Encode(&f)
		return
	}
	text := f.Problem
	if f.Account != "" {
		text = f.Account + ": " + text
	}
	v.app.screen.line(plain("DAMAGED: " + text))
}

// folder verifies every mbox archive in and below dir by its own index.
func (v *verification) folder(ctx context.Context, dir string) error {
	var archives []string
	others := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case entry.Name() == "popmigrate.id" && entry.Type().IsRegular():
			if index, _ := filepath.Glob(filepath.Join(filepath.Dir(globless(path)), "*.index.jsonl")); len(index) > 0 {
				archives = append(archives, filepath.Dir(path))
			} else {
				others++
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if others > 0 {
		v.app.note("Warning: %s without an index, such as maildirs; only the job file with its ledger can verify them.", counted(int64(others), "archive"))
	}
	if len(archives) == 0 {
		return fmt.Errorf("verify %s: no mbox archive with an index is in this folder or below it", dir)
	}
	for _, archive := range archives {
		if err := v.archive(ctx, dir, archive); err != nil {
			return err
		}
		v.show(len(archives))
	}
	return nil
}

// globless quotes what filepath.Glob would take for a pattern.
func globless(path string) string {
	if runtime.GOOS == "windows" {
		return path // these characters do not occur there, and a backslash cannot quote
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// archive verifies one mbox archive: its layout, and the copies picked.
func (v *verification) archive(ctx context.Context, top, dir string) error {
	name := dir
	if rel, err := filepath.Rel(top, dir); err == nil && rel != "." {
		name = rel
	}
	v.count(func() { v.archives++ })
	fsys := durable.OS{}
	var copies iter.Seq[sinks.Copy] = func(yield func(sinks.Copy) bool) {
		for copy, err := range sinks.IndexCopies(fsys, dir) {
			if err != nil {
				v.report(finding{Account: name, Object: dir, Problem: err.Error()})
				continue
			}
			if !yield(copy) {
				return
			}
		}
	}
	err := sinks.VerifyMbox(ctx, sinks.MboxConfig{FS: fsys, Dir: dir, Codecs: v.codecs}, copies,
		func(copy sinks.Copy) bool { return v.picked(name, &copy) },
		func(copy sinks.Copy, err error) {
			if ctx.Err() == nil {
				v.checked(name, "", &copy, err)
			}
		})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		v.report(finding{Account: name, Object: dir, Problem: err.Error()})
	}
	return nil
}

// show draws how far it is; archives is how many there are.
func (v *verification) show(archives int) {
	if v.app.json || v.app.quiet || !v.app.screen.terminal() {
		return
	}
	v.mu.Lock()
	done, parts := v.archives, []string{
		counted(int64(v.archives), "archive"), counted(v.read, "message"), octets(v.octets), counted(v.problems, "problem")}
	v.mu.Unlock()
	v.app.screen.draw(1000*done/max(archives, 1), parts)
}

// verifySummary is the last JSON line.
type verifySummary struct {
	MessageType string  `json:"message_type"`
	Version     string  `json:"version"`
	Exit        int     `json:"exit"`
	ExitName    string  `json:"exit_name"`
	Seconds     float64 `json:"seconds"`
	Archives    int     `json:"archives"`
	Copies      int64   `json:"copies"`
	Read        int64   `json:"read"`
	Octets      int64   `json:"octets"`
	Problems    int64   `json:"problems"`
	Custody     int64   `json:"custody_entries"`
}

// finish prints what was found and returns the code.
func (v *verification) finish(err error) exitCode {
	v.app.screen.erase()
	code := exitOf(err)
	if v.problems > 0 {
		code = worse(code, exitVerification)
	}
	elapsed := time.Since(v.started)
	if v.app.json {
		if err == nil || code == exitInterrupted {
			_ = jsonLines(v.app.out).Encode(&verifySummary{"summary", version(), int(code), code.String(),
				seconds(elapsed), v.archives, v.copies, v.read, v.octets, v.problems, v.custody})
		}
		return code
	}
	if code == exitStart || v.app.quiet && code == exitComplete {
		return code
	}
	out := v.app.out
	fmt.Fprintf(out, "Read again: %s of %s in %s (%s, %s, %s)\n", number(v.read), counted(v.copies, "verified copy"),
		counted(int64(v.archives), "archive"), octets(v.octets), span(elapsed), rate(v.octets, elapsed))
	switch {
	case v.broken:
		fmt.Fprintf(out, "Custody record: BROKEN; %s before that are sound\n", counted(v.custody, "entry"))
	case v.custody > 0:
		fmt.Fprintf(out, "Custody record: %s, unbroken\n", counted(v.custody, "entry"))
	}
	switch {
	case code == exitInterrupted:
		fmt.Fprintf(out, "Interrupted: not everything was read; %s so far.\n", counted(v.problems, "problem"))
	case v.problems > 0:
		fmt.Fprintf(out, "DAMAGED: %s. Restore what is named above from a backup; run popmigrate again only then.\n", counted(v.problems, "problem"))
	default:
		fmt.Fprintln(out, "Sound: every copy that was read is what came off the wire.")
	}
	return code
}

// subset says which copies are read.
type subset struct {
	share       float64 // of all, picked at random; 0 where a part or all is read
	part, parts uint64
}

var errSubset = errors.New(`want a share such as 5%, or N/T with N from 1 to T`)

func parseSubset(s string) (subset, error) {
	if s == "" {
		return subset{}, nil
	}
	if percent, ok := strings.CutSuffix(s, "%"); ok {
		share, err := strconv.ParseFloat(percent, 64)
		if err != nil || !(share > 0 && share <= 100) {
			return subset{}, errSubset
		}
		return subset{share: share / 100}, nil
	}
	n, t, ok := strings.Cut(s, "/")
	part, err := strconv.ParseUint(n, 10, 32)
	parts, err2 := strconv.ParseUint(t, 10, 32)
	if !ok || err != nil || err2 != nil || part < 1 || part > parts {
		return subset{}, errSubset
	}
	return subset{part: part, parts: parts}, nil
}

// has tells whether a copy belongs to the subset. Parts are the same in every
// run, whatever was stored meanwhile.
func (s subset) has(name string, ordinal int64) bool {
	switch {
	case s.parts > 0:
		h := fnv.New64a()
		fmt.Fprintf(h, "%s\x00%d", name, ordinal)
		return h.Sum64()%s.parts == s.part-1
	case s.share > 0:
		return rand.Float64() < s.share
	}
	return true
}
