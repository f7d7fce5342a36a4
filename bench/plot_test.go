//go:build linux

package bench

import (
	"bufio"
	"fmt"
	"html"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestGoalsPlot draws docs/performance.svg from what the goals measured: it
// runs last of them, by its place in the package.
func TestGoalsPlot(t *testing.T) {
	wantGoals(t)
	all, order, err := readRounds(filepath.Join("out", "goals.bench"))
	if err != nil {
		t.Fatal(err)
	}
	var charts []chart
	for _, name := range order {
		if len(all[name].bars) > 1 {
			charts = append(charts, all[name].medians())
		}
	}
	if len(charts) == 0 {
		t.Fatal("out/goals.bench holds no contest of two")
	}
	if err := os.WriteFile(filepath.Join("..", "docs", "performance.svg"), []byte(plot(charts)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// chart is a contest: clients and their seconds.
type chart struct {
	name string
	bars []bar
}

type bar struct {
	client  string
	rounds  []time.Duration
	seconds float64
}

// readRounds reads the lines that report wrote for benchstat.
func readRounds(path string) (all map[string]*chart, order []string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	all = map[string]*chart{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) < 4 || words[3] != "ns/op" {
			continue
		}
		contest, client, _ := strings.Cut(strings.TrimPrefix(words[0], "Benchmark"), "/")
		took, err := strconv.ParseInt(words[2], 10, 64)
		if err != nil {
			return nil, nil, fmt.Errorf("read %s: %w", path, err)
		}
		c := all[contest]
		if c == nil {
			c = &chart{name: contest}
			all[contest] = c
			order = append(order, contest)
		}
		c.add(client, time.Duration(took))
	}
	return all, order, lines.Err()
}

func (c *chart) add(client string, took time.Duration) {
	for i := range c.bars {
		if c.bars[i].client == client {
			c.bars[i].rounds = append(c.bars[i].rounds, took)
			return
		}
	}
	c.bars = append(c.bars, bar{client: client, rounds: []time.Duration{took}})
}

func (c *chart) medians() chart {
	for i := range c.bars {
		c.bars[i].seconds = median(c.bars[i].rounds).Seconds()
	}
	return *c
}

// plot draws the contests below one another. Lengths are logarithmic from a
// tenth of the shortest time, since clients differ by a factor of hundreds.
func plot(charts []chart) string {
	const width, left, row, head = 860, 260, 20, 34
	least, most, height := math.Inf(1), 0.0, 16
	for _, c := range charts {
		height += head + row*len(c.bars)
		for _, b := range c.bars {
			least, most = min(least, b.seconds), max(most, b.seconds)
		}
	}
	length := func(s float64) float64 {
		return (width - left - 90) * math.Log10(s/least*10) / math.Log10(most/least*10)
	}
	var svg strings.Builder
	fmt.Fprintf(&svg, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&svg, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, height)
	y := 0
	for _, c := range charts {
		y += head
		fmt.Fprintf(&svg, `<text x="10" y="%d" font-weight="bold">%s: seconds (logarithmic)</text>`+"\n", y-8, spoken(c.name))
		for _, b := range c.bars {
			colour := "#9aa5b1"
			if strings.Contains(strings.ToLower(b.client), "popmigrate") {
				colour = "#1f77b4"
			}
			fmt.Fprintf(&svg, `<text x="%d" y="%d" text-anchor="end">%s</text>`, left-8, y+14, spoken(b.client))
			fmt.Fprintf(&svg, `<rect x="%d" y="%d" width="%.1f" height="14" fill="%s"/>`, left, y+3, length(b.seconds), colour)
			fmt.Fprintf(&svg, `<text x="%.1f" y="%d">%.2f</text>`+"\n", left+length(b.seconds)+6, y+14, b.seconds)
			y += row
		}
	}
	return svg.String() + "</svg>\n"
}

// spoken takes back what word did to a name, for people and for XML.
func spoken(name string) string {
	return html.EscapeString(strings.NewReplacer("__", ", ", "_", " ").Replace(name))
}
