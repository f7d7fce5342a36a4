package torture

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"text/tabwriter"
)

var (
	long  = flag.Bool("torture.long", false, "run the long form: every scenario whole")
	trace = flag.Bool("torture.trace", false, "log what each process did; use it with one run")
	table = flag.Bool("torture.table", false, "print the table of scenarios at the end")
)

// spoolRoot is shared by all worlds: small messages never reach the spool's
// files.
var spoolRoot string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "torture")
	if err != nil {
		panic(err)
	}
	spoolRoot = dir
	code := m.Run()
	os.RemoveAll(dir)
	if *table {
		printTable()
	}
	os.Exit(code)
}

// tally counts what a scenario's runs came to.
type tally struct {
	mu         sync.Mutex
	scenario   string
	runs       int
	lives      int // processes
	crashes    int
	broken     int // connections
	violations int
}

// scoreboard has one tally for each scenario, in the order in which they began.
var scoreboard struct {
	sync.Mutex
	tallies []*tally
}

func score(scenario string) *tally {
	scoreboard.Lock()
	defer scoreboard.Unlock()
	for _, t := range scoreboard.tallies {
		if t.scenario == scenario {
			return t
		}
	}
	t := &tally{scenario: scenario}
	scoreboard.tallies = append(scoreboard.tallies, t)
	return t
}

func printTable() {
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "scenario\truns\tprocesses\tcrashes\tbroken lines\tviolations\t")
	sum := tally{scenario: "all"}
	line := func(t *tally) {
		fmt.Fprintf(out, "%s\t%d\t%d\t%d\t%d\t%d\t\n", t.scenario, t.runs, t.lives, t.crashes, t.broken, t.violations)
	}
	for _, t := range scoreboard.tallies {
		line(t)
		sum.runs, sum.lives, sum.crashes = sum.runs+t.runs, sum.lives+t.lives, sum.crashes+t.crashes
		sum.broken, sum.violations = sum.broken+t.broken, sum.violations+t.violations
	}
	line(&sum)
	out.Flush()
}

// complaints bounds what one test prints.
const complaints = 8

// trial makes a world, lets run do with it what the scenario says, heals it,
// and counts what is wrong in the end. It reports whether all is well.
func (y *tally) trial(t *testing.T, name string, s setting, mail [][]byte, run func(w *world)) (sound bool) {
	t.Helper()
	var found []string
	var w *world
	synctest.Test(t, func(t *testing.T) {
		w = newWorld(t, s, mail...)
		defer w.end()
		run(w)
		w.heal()
		w.checkEnd()
		found = w.sorted()
	})
	y.mu.Lock()
	defer y.mu.Unlock()
	y.runs++
	y.lives, y.crashes, y.broken = y.lives+w.lives, y.crashes+w.crashes, y.broken+w.breaks
	if len(found) == 0 {
		return true
	}
	if y.violations++; y.violations <= complaints {
		t.Errorf("%s: %s:\n\t%s", y.scenario, name, strings.Join(found, "\n\t"))
	}
	return false
}

// spread runs work for 0 ≤ i < n on all processors, until a run is unsound
// and -failfast is set.
func spread(t *testing.T, n int, work func(t *testing.T, i int)) {
	failfast := flag.Lookup("test.failfast").Value.String() == "true"
	workers := runtime.GOMAXPROCS(0)
	t.Run("part", func(t *testing.T) {
		for k := range workers {
			t.Run(fmt.Sprint(k), func(t *testing.T) {
				t.Parallel()
				for i := k; i < n; i += workers {
					if failfast && t.Failed() {
						return
					}
					work(t, i)
				}
			})
		}
	})
}
