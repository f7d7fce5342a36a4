//go:build linux

package bench

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// measure is one client at one piece of work: what each round took.
type measure struct {
	name   string
	rounds []cost
}

func (m *measure) wall() time.Duration {
	all := make([]time.Duration, len(m.rounds))
	for i, c := range m.rounds {
		all[i] = c.wall
	}
	return median(all)
}

func (m *measure) cpu() time.Duration {
	all := make([]time.Duration, len(m.rounds))
	for i, c := range m.rounds {
		all[i] = c.cpu
	}
	return median(all)
}

func (m *measure) memory() (most int64) {
	for _, c := range m.rounds {
		most = max(most, c.memory)
	}
	return most
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	n := len(all)
	if n == 0 {
		return 0
	}
	return (all[(n-1)/2] + all[n/2]) / 2
}

// work is a piece of work and who did it.
type work struct {
	name     string
	messages int
	octets   int64
	done     []*measure
}

// contender is who takes part: it does the work once.
type contender struct {
	name string
	most int // rounds at the most, 0 for all: some are very slow
	once func() cost
}

// race has everybody do the work in turn, round after round, so that what
// disturbs the machine disturbs all.
func race(t *testing.T, name string, messages int, octets int64, rounds int, contenders ...contender) *work {
	w := &work{name: name, messages: messages, octets: octets}
	for _, c := range contenders {
		w.done = append(w.done, &measure{name: c.name})
	}
	for round := range rounds {
		for i, c := range contenders {
			if c.most > 0 && round >= c.most {
				continue
			}
			w.done[i].rounds = append(w.done[i].rounds, c.once())
		}
	}
	w.report(t)
	return w
}

// of returns the measure of a contender, nil where it did not take part.
func (w *work) of(name string) *measure {
	for _, m := range w.done {
		if m.name == name {
			return m
		}
	}
	return nil
}

// ratio returns how many times as fast a is as b, 0 where one took no part.
func (w *work) ratio(a, b string) float64 {
	x, y := w.of(a), w.of(b)
	if x == nil || y == nil || x.wall() == 0 {
		return 0
	}
	return y.wall().Seconds() / x.wall().Seconds()
}

// report writes the table and, for benchstat, a line for each round.
func (w *work) report(t *testing.T) {
	var b bytes.Buffer
	out := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(out, "\nclient\tseconds (median)\trange\tmessages/s\tMB/s\tCPU s\tmemory MiB\t\n")
	for _, m := range w.done {
		if len(m.rounds) == 0 {
			continue
		}
		least, most := m.rounds[0].wall, m.rounds[0].wall
		for _, c := range m.rounds {
			least, most = min(least, c.wall), max(most, c.wall)
		}
		s := m.wall().Seconds()
		cpu, memory := "", ""
		if m.cpu() > 0 {
			cpu = fmt.Sprintf("%.2f", m.cpu().Seconds())
		}
		if m.memory() > 0 {
			memory = fmt.Sprintf("%d", m.memory()>>20)
		}
		fmt.Fprintf(out, "%s\t%.3f\t%.3f–%.3f\t%.0f\t%.1f\t%s\t%s\t\n", m.name, s, least.Seconds(), most.Seconds(),
			float64(w.messages)/s, float64(w.octets)/s/1e6, cpu, memory)
	}
	out.Flush()
	text := fmt.Sprintf("\n%s, %s\n%s", w.name, machine(), b.String())
	fmt.Print(text)
	keep(t, "goals.txt", text)
	var lines strings.Builder
	for _, m := range w.done {
		for _, c := range m.rounds {
			fmt.Fprintf(&lines, "Benchmark%s/%s 1 %d ns/op %.2f MB/s\n", word(w.name), word(m.name), c.wall.Nanoseconds(), float64(w.octets)/c.wall.Seconds()/1e6)
		}
	}
	keep(t, "goals.bench", lines.String())
}

// word makes a name fit for benchstat.
func word(name string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == ',' {
			return '_'
		}
		return r
	}, strings.ToUpper(name[:1])+name[1:])
}

// keep appends to a file in bench/out.
func keep(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll("out", 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join("out", name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// machine describes where this runs, and how busy it was.
func machine() string {
	kernel, _ := exec.Command("uname", "-sr").Output()
	model := "unknown processor"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, found := strings.Cut(string(info), "model name"); found {
			line, _, _ := strings.Cut(rest, "\n")
			model = strings.TrimSpace(strings.TrimLeft(line, "\t :"))
		}
	}
	load, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(load), " ")
	return fmt.Sprintf("%d processors (%s), %s, %s, load %s", runtime.NumCPU(), model, strings.TrimSpace(string(kernel)), runtime.Version(), first)
}
