package jobs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"popmigrate/internal/profiles"
	"popmigrate/migrate"
	"popmigrate/sinks"
)

// loader reads one job file. It collects every problem instead of ending at
// the first.
type loader struct {
	Diagnostics
	env        Env
	path, dir  string
	src        []byte
	prompts    map[string]func(ctx context.Context) (string, error) // by environment variable that need not be set
	codecs     *sinks.Codecs                                        // shared by all mbox sinks of the file
	warnings   []string
	profiles   *profiles.Set        // of the job that is read
	tokenFiles map[string]hcl.Range // by key of the path: the oauth2 block that it belongs to
	literalAt  *hcl.Range           // of the first password that stands in the file itself
	paths      *paths
}

// build is what the parts of a job are put together in.
type build struct {
	job     *Job
	at      hcl.Range
	listed  bool // there is an account list or block, be it empty or wrong
	sources []*source
	sinks   []*sink
}

// Load reads a job file and the account lists it names, and checks all of it.
// Nothing is dialed, opened for writing or run, and no secret is evaluated.
// The error is a *Diagnostics unless the job file itself cannot be read.
func Load(path string, env Env) (*File, error) {
	env = env.withDefaults()
	src, err := env.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read job file: %w", err)
	}
	return load(path, src, env, nil)
}

func load(path string, src []byte, env Env, prompts map[string]func(ctx context.Context) (string, error)) (*File, error) {
	l := &loader{env: env, path: path, dir: filepath.Dir(path), src: src, prompts: prompts, codecs: sinks.NewCodecs(), paths: newPaths(), tokenFiles: map[string]hcl.Range{}}
	parsed, diags := hclsyntax.ParseConfig(src, path, hcl.InitialPos)
	l.files = map[string]*hcl.File{path: {Bytes: masked(src, path)}}
	l.addHCL(diags)
	file := &File{Path: path}
	if !diags.HasErrors() {
		sum := sha256.Sum256(src)
		l.file(file, l.body(parsed.Body, fileSchema, parsed.Body.MissingItemRange()), hex.EncodeToString(sum[:]))
	}
	if l.literalAt != nil {
		l.refuseReadable(path, *l.literalAt, "env(), file() or command()")
	}
	if l.Len() > 0 {
		file.close()
		sort.SliceStable(l.problems, func(i, j int) bool { return before(l.problems[i].Subject, l.problems[j].Subject) })
		return nil, &l.Diagnostics
	}
	return file, nil
}

// before orders problems by their place.
func before(a, b *hcl.Range) bool {
	switch {
	case a == nil || b == nil:
		return a == nil && b != nil
	case a.Filename != b.Filename:
		return a.Filename < b.Filename
	case a.Start.Line != b.Start.Line:
		return a.Start.Line < b.Start.Line
	}
	return a.Start.Column < b.Start.Column
}

// file reads the job blocks.
func (l *loader) file(file *File, top *section, digest string) {
	seen := map[string]hcl.Range{}
	for _, block := range top.blocks {
		key := strings.ToLower(block.Labels[0])
		if other, ok := seen[key]; ok {
			l.add(block.DefRange, "Two jobs of one name", "The job at line %d has the name %q too.", other.Start.Line, block.Labels[0])
			continue
		}
		seen[key] = block.DefRange
		l.warnings = nil
		job := l.job(block, digest)
		job.Warnings = l.warnings
		file.Jobs = append(file.Jobs, job)
	}
	if len(top.blocks) == 0 && l.Len() == 0 {
		l.add(top.at, "Missing job", `A job file has at least one job "name" { … } block.`)
	}
	l.paths.check(l)
}

// jobName is what a job's label may look like: it names a directory and stands
// in the ledger.
var jobName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func (l *loader) job(block *hcl.Block, digest string) *Job {
	job := &Job{Name: block.Labels[0], dir: l.dir}
	if !jobName.MatchString(job.Name) || isReserved(job.Name) || strings.HasSuffix(job.Name, ".") {
		l.add(block.LabelRanges[0], "Wrong name", "A job's name is made of letters, digits, dot, dash and underscore.")
	}
	s := l.section(block, jobSchema)
	job.Job = &migrate.Job{Name: job.Name, Digest: digest, Delete: word(s, "delete", deleteWords), Limits: l.limits(s)}
	job.StateDir = l.resolve(job.Name + ".popmigrate")
	if c := s.one("checkpoint", checkpointSchema); c != nil && c.has("dir") {
		job.StateDir = l.resolve(c.required("dir"))
	}
	l.paths.states[l.paths.key(job.StateDir)] = job.StateDir

	l.profiles = l.profileSet(s)
	rows, list := l.rows(s)
	b := &build{job: job, at: block.DefRange, sources: l.sources(s, list), sinks: l.sinks(s, list)}
	b.listed = len(s.blocks.OfType("accounts"))+len(s.blocks.OfType("account")) > 0
	job.sources, job.sinks = b.sources, b.sinks
	if list != nil {
		l.warnUnused(list)
	}
	l.accounts(b, rows)
	l.checkDelete(s, b)
	return job
}

// checkDelete refuses a deletion policy that can never be met.
func (l *loader) checkDelete(s *section, b *build) {
	if b.job.Job.Delete != migrate.DeleteVerified || len(b.sinks) == 0 {
		return
	}
	for _, sink := range b.sinks {
		if sink.recipient == nil {
			return
		}
	}
	l.add(s.where("delete"), "Nothing to verify", `No sink of this job can be read back, so nothing would ever be deleted. Add an mbox or maildir sink, or say "accepted".`)
}

// limits reads the limits block. Defaults are written out, so that Describe
// shows what is in force.
func (l *loader) limits(job *section) migrate.Limits {
	s := job.one("limits", limitsSchema)
	if s == nil {
		s = &section{l: l}
	}
	return migrate.Limits{
		Sessions:        s.count("sessions", 1, 64),
		SessionsPerHost: s.count("sessions_per_host", 1, 16),
		LoginSpacing:    s.duration("login_spacing", 0),
		HostPause:       s.duration("host_pause", 5*time.Minute),
		Attempts:        s.count("attempts", 1, 4),
		Backoff:         s.duration("backoff", 10*time.Second),
		SliceTime:       s.duration("slice_time", 10*time.Minute),
		SliceMessages:   s.count("slice_messages", 0, 0),
		Memory:          s.octets("memory", 1<<20, 64<<20),
	}
}

// refuseReadable refuses a file that holds secrets and can be read by others.
func (l *loader) refuseReadable(path string, at hcl.Range, instead string) {
	if l.env.NoSecrets {
		return
	}
	info, err := l.env.Stat(path)
	if err != nil {
		l.add(at, "Secrets in the open", "The file holds passwords, but who can read it is not known: %v.", err)
	} else if readableByOthers(info) {
		l.add(at, "Secrets in the open", "The file holds passwords and others can read it. Mend it with: chmod 600 %s. Or use %s.", shellWord(path), instead)
	}
}

// warn records something worth a person's look that stops nothing.
func (l *loader) warn(format string, args ...any) {
	if text := oneLine(fmt.Sprintf(format, args...)); !slices.Contains(l.warnings, text) {
		l.warnings = append(l.warnings, text)
	}
}

func isString(value cty.Value) bool {
	return !value.IsNull() && value.IsKnown() && value.Type() == cty.String
}
